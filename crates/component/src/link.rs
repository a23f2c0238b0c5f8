//! Components with their dependencies: the locked component and the bundle.
//!
//! [`lock`] and [`bundle`] take the bytes of a root, what the solver [found](Solution) for it, and the
//! bytes of each release, and make one component that has the root's exports under the same names:
//!
//! * the **locked component** imports each release as `locked-dep=<ns:name@1.2.3>,integrity=<…>` and
//!   instantiates them. It is the portable form of a lock;
//! * the **bundle** has the releases within. No import of a package is left, so that every host can
//!   run it.
//!
//! # How imports are answered
//!
//! 1. Each release is instantiated once, whatever the ranges are that ask for it, so that resources
//!    are shared. Releases of different versions of a package stand side by side.
//! 2. An import of an instance gets the instance of its release. With a projection, as in
//!    `unlocked-dep=<ns:name/iface>`, it gets the instance's export `ns:name/iface@VERSION`, or
//!    `iface`; the version of the release comes before others, then the highest. Where the import asks
//!    for exports whose versions are compatible with those of the release, but not the same, they are
//!    passed under the names that are asked for.
//! 3. An import of a component gets the release itself; whoever imports it instantiates it, and passes
//!    what it imports. An import of a package that the importer's type for it does not mention would
//!    stay open, and is an error.
//! 4. Every other import becomes an import of the result: interfaces, plain names, `url=<…>` and
//!    `integrity=<…>`. Those with the same name become one, and so do those of an interface at
//!    compatible versions (1.x, 0.1.x, 0.0.3; pre-releases only with themselves): one import of the
//!    highest version with all that any of them asks for.
//! 5. The root's exports are exported under their names. That fails where one makes use of a type that
//!    only a release within has and the root does not export too; the component model cannot say it.
//!
//! What does not fit together is an error with the chains of imports that lead to it; so is a resource
//! of one instance where that of another is expected. Nothing is left out silently. The result is
//! validated.
//!
//! # What the result holds
//!
//! Equal questions have byte for byte the same result, in whatever order the solution has its nodes. A
//! root without imports of packages is its own locked component and its own bundle, unchanged; a root
//! that is a locked component already is its own locked component.
//!
//! In a bundle, names such as `unlocked-dep=<…>` are gone from the components within, too, because
//! newer tools refuse them: their imports are called `dep-ns-name-…` with letters from a digest of the
//! old name. Nothing else of their bytes changes, and content that imports no package stays as it is.
//! A bundle cannot hold what has only a `url=<…>` or `integrity=<…>`, and says so.
//!
//! Contents are not copied: an [`Output`] refers to them, and is as large as they are together.

pub(crate) mod between;
mod check;
mod encode;
mod error;
mod explain;
mod merge;
mod output;
mod plan;
mod rename;
mod surface;
mod wrapper;

pub use error::{Chain, LinkError};
pub use output::Output;

use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};

use crate::limits::LINK_BYTES_MAX;
use crate::solve::{Solution, Step};
use explain::Context;
use plan::Plan;
use surface::{Parts, Surface};

/// The component that everything is linked for.
#[derive(Clone, Debug)]
pub struct Root<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Which release it is. A locked component imports it then, and otherwise holds it.
    pub release: Option<(PackageName, Version)>,
}

/// Makes the locked component of a root. `contents` are those of the solution's nodes, in their order.
///
/// The validity of the code within is not looked at, since none of it becomes part of the result, but
/// for a root that is no release.
///
/// # Errors
///
/// [`LinkError`], which says whose fault it is.
pub fn lock<'a>(
    root: &Root<'a>,
    solution: &Solution,
    contents: &[&'a [u8]],
) -> Result<Output<'a>, LinkError> {
    link(root, solution, contents, Form::Locked)
}

/// Makes the bundle of a root. `contents` are those of the solution's nodes, in their order.
///
/// # Errors
///
/// [`LinkError`], which says whose fault it is.
pub fn bundle<'a>(
    root: &Root<'a>,
    solution: &Solution,
    contents: &[&'a [u8]],
) -> Result<Output<'a>, LinkError> {
    link(root, solution, contents, Form::Bundle)
}

/// Which of the two results is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Locked,
    Bundle,
}

fn link<'a>(
    root: &Root<'a>,
    solution: &Solution,
    contents: &[&'a [u8]],
    form: Form,
) -> Result<Output<'a>, LinkError> {
    let bytes = contents.iter().fold(root.bytes.len(), |sum, content| sum + content.len());
    if bytes > LINK_BYTES_MAX {
        return Err(LinkError::TooLarge { bytes, bytes_max: LINK_BYTES_MAX });
    }
    let surface = Surface::read(root.bytes).map_err(|fault| fault.at(Chain::default()))?;
    if surface.dependencies().next().is_none() {
        return unchanged(root, &surface, form);
    }
    let parts = Parts::read(root, surface, solution, contents)?;
    let plan = Plan::make(&parts, form)?;
    if form == Form::Locked && plan.is_locked(&parts) {
        return Ok(Output::borrowed(root.bytes));
    }
    let merged = merge::merge(&parts, &plan)?;
    let make = |ascribes| {
        let wrapper = wrapper::write(&parts, &plan, &merged, form, ascribes)?;
        let Err(failure) = check::check(&wrapper.output) else { return Ok(wrapper.output) };
        let (parts, plan, merged, wrapper) = (&parts, &plan, &merged, &wrapper);
        Err(explain::explain(*failure, &Context { parts, plan, merged, wrapper }))
    };
    match make(false) {
        // Few roots need it, so that most are written without.
        Err(LinkError::Export { export, reason }) => {
            make(true).map_err(|_| LinkError::Export { export, reason })
        }
        result => result,
    }
}

/// A root without imports of packages, as it is.
fn unchanged<'a>(root: &Root<'a>, surface: &Surface, form: Form) -> Result<Output<'a>, LinkError> {
    if form == Form::Bundle {
        if let Some(import) = plan::remote(surface) {
            let import = surface.imports[import].reading.clone();
            let chain = Chain::default().then(Step { importer: None, import });
            return Err(LinkError::Remote { chain });
        }
        let output = Output::borrowed(root.bytes);
        check::check(&output).map_err(|failure| failure.of_root())?;
        return Ok(output);
    }
    Ok(Output::borrowed(root.bytes))
}

/// The name under which a locked component imports a release.
fn locked_name(package: &PackageName, version: &Version, digest: &Digest) -> String {
    let integrity = crate::Integrity::of(digest);
    format!("locked-dep=<{package}@{version}>,integrity=<{integrity}>")
}
