//! A component that a process of its own makes: what it is made of, and where it goes.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};
use wargate_component::compose::{ComposeError, Outlines, Reference, assemble};
use wargate_component::link::Output;
use wargate_component::lock::PackageId;
use wargate_component::picture::Graph;
use wargate_component::provenance::{Made, Provenance, Role, Source};
use wargate_console::{counted, harmless};
use wargate_crypto::Digest;

use crate::args::Composing;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::{cannot_write, write_whole};
use crate::output::{Report, print};
use crate::worker::{self, Answer, Job, Worker};

/// Something that goes into a component.
pub(super) struct Ingredient {
    pub(super) role: Role,
    /// The release that it is, if it is one.
    pub(super) release: Option<PackageId>,
    pub(super) bytes: Vec<u8>,
    digest: OnceLock<Digest>,
}

impl Ingredient {
    pub(super) const fn new(role: Role, release: Option<PackageId>, bytes: Vec<u8>) -> Self {
        Self { role, release, bytes, digest: OnceLock::new() }
    }

    /// With a digest that the bytes are known to have.
    pub(super) fn of_digest(self, digest: Digest) -> Self {
        Self { digest: digest.into(), ..self }
    }

    pub(super) fn in_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(&self.bytes))
    }

    fn to_source(&self) -> Source {
        let release = self.release.clone();
        let (package, version) = release.map(|id| (id.package, id.version)).unzip();
        Source { role: self.role, package, version, digest: self.digest() }
    }
}

/// A component that is to be made.
pub(super) struct Product<'a> {
    pub(super) made: Made,
    /// What it is made of, as the user calls it.
    pub(super) from: &'a str,
    /// The file that it will be; `-` is standard output.
    pub(super) path: &'a Path,
    pub(super) ingredients: Vec<&'a Ingredient>,
}

impl Product<'_> {
    /// Says in a component what it was made of: all ingredients but those whose places are `unused`.
    pub(super) fn state<'o>(
        &self,
        mut output: Output<'o>,
        unused: &[usize],
        more: More,
    ) -> Stated<'o> {
        let used = self.ingredients.iter().enumerate();
        let used = used.filter(|(at, _)| !unused.contains(at));
        let mut sources: Vec<Source> = used.map(|(_, it)| it.to_source()).collect();
        sources.sort_by(|a, b| {
            (a.role, &a.package, &a.version, a.digest)
                .cmp(&(b.role, &b.package, &b.version, b.digest))
        });
        sources.dedup();
        let provenance = Provenance { made: self.made, sources };
        output.state(&provenance);
        Stated { digest: output.digest(), output, sources: provenance.sources, more }
    }

    /// Writes the component to where it belongs.
    pub(super) fn write(&self, context: &Context, stated: Stated<'_>) -> Result<Report, Failure> {
        let Stated { output, digest, sources, more } = stated;
        if self.path == Path::new("-") {
            context.take_stdout()?;
            print(&output.to_vec())?;
            return Ok(Report::own(String::new(), json!({})));
        }
        write_whole(self.path, |file| {
            output.write_to(file).map_err(|error| cannot_write(self.path, &error))
        })?;
        let (path, size) = (self.path.display().to_string(), output.len());
        let releases = sources.iter().filter(|source| source.package.is_some()).count();
        let text = format!(
            "{} -> {} ({}, {})\n{digest}\n",
            harmless(self.from),
            harmless(&path),
            indicatif::HumanBytes(size),
            match releases {
                0 => counted(sources.len() as u64, "file"),
                releases => counted(releases as u64, "release"),
            },
        );
        let mut said = json!({ "path": path, "digest": digest, "size": size, "sources": sources });
        for (name, value) in more {
            said[name] = value;
        }
        Ok(Report::new(text, said))
    }
}

/// A component that says what it was made of.
pub(super) struct Stated<'a> {
    output: Output<'a>,
    digest: Digest,
    sources: Vec<Source>,
    more: More,
}

/// What is to be said in JSON besides.
pub(super) type More = Vec<(&'static str, Value)>;

/// A product that is composed: a process of its own wires it while this one validates its parts.
pub(super) struct Assembly<'a> {
    pub(super) product: Product<'a>,
    pub(super) parts: Vec<(&'a Reference, &'a [u8])>,
    pub(super) worker: Worker,
    pub(super) job: &'a Job,
    /// What the fault of somebody else means to the user.
    pub(super) refused: &'a dyn Fn(&ComposeError) -> Failure,
}

impl Assembly<'_> {
    /// Makes the product, or the picture that is asked for instead. `told` is told the places of the plugs
    /// of which nothing was wanted, and says which ingredients are unused.
    pub(super) fn make(
        self,
        context: &Context,
        options: &Composing,
        told: impl FnOnce(&[usize]) -> (Vec<usize>, More),
    ) -> Result<Report, Failure> {
        let Self { product, parts, worker, job, refused } = self;
        let refused = |fault| match fault {
            Fault::Compose(error) => refused(&error),
            Fault::Other(failure) => failure,
        };
        if options.dot || options.svg {
            context.take_stdout()?;
            let wired = assemble(&parts, |outlines| wired(worker, job, outlines));
            return wired.map(|wired| picture(options, &wired.graph)).map_err(refused);
        }
        let stated = assemble(&parts, |outlines| {
            let Wired { output, unused, .. } = wired(worker, job, outlines)?;
            let (unused, more) = told(&unused);
            Ok(product.state(output, &unused, more))
        });
        product.write(context, stated.map_err(refused)?)
    }
}

/// What is wired with what.
fn picture(options: &Composing, graph: &Graph) -> Report {
    let text = if options.dot { graph.to_dot() } else { graph.to_svg() };
    Report::own(text, json!({}))
}

/// Why nothing is composed.
enum Fault {
    Compose(ComposeError),
    Other(Failure),
}

impl From<ComposeError> for Fault {
    fn from(error: ComposeError) -> Self {
        Self::Compose(error)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

/// Components that are wired.
struct Wired<'a> {
    output: Output<'a>,
    graph: Graph,
    /// Of plugs, the places of those of which nothing was wanted.
    unused: Vec<usize>,
}

/// Has components wired by a process of its own.
fn wired<'a>(worker: Worker, job: &Job, outlines: &Outlines<'a>) -> Result<Wired<'a>, Fault> {
    match worker.work(job, &outlines.iter().collect::<Vec<_>>())? {
        (Answer::Wired { graph, unused }, frame) => {
            Ok(Wired { output: outlines.fill(&frame)?, graph, unused })
        }
        (Answer::Failed(worker::Fault::Compose(error)), _) => Err(error.into()),
        _ => Err(Failure::other("the process answered something else").into()),
    }
}
