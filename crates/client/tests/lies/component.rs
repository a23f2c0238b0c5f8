//! The client as a component, in a WebAssembly runtime whose host gives it HTTP, values by key, a
//! clock and randomness.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use wargate_client::native::Http;
use wargate_client::seams::{RequestBody, ResponseBody, Transport, TransportError, TransportFault};
use wargate_testkit::hostile::{
    HELLO, Hostile, Mode, Operation, PRESENT, Served, Stage, alice, content, operator, truth,
};
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, Store, StoreLimits, StoreLimitsBuilder};
use wit_component::ComponentEncoder;

use crate::native::{Present, http};
use crate::{CONTENT, Runner, Said, kept};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../guests/client/wit",
        world: "client",
        with: { "wargate:client/http.answer": super::Answer },
    });
}

use bindings::exports::wargate::client::packages::{Problem, Settings};
use bindings::wargate::client::{clock, http as wire, random, state};

/// Memory that an instance may use, in bytes.
const MEMORY_BYTES_MAX: usize = 256 << 20;

type Values = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A component and the state that it has from one call to the next.
pub(crate) struct Guest {
    settings: Settings,
    values: Values,
}

/// What an instance has.
struct Host {
    table: ResourceTable,
    limits: StoreLimits,
    values: Values,
    clock: Present,
    http: Http,
    handle: Handle,
}

/// An answer that is read.
#[expect(unreachable_pub, reason = "the generated code hands it on as public")]
pub struct Answer {
    status: u16,
    headers: Vec<wire::Header>,
    body: Box<dyn ResponseBody>,
}

fn runtime() -> &'static (Engine, Component) {
    static RUNTIME: OnceLock<(Engine, Component)> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let built = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("../wasm/wasm32-unknown-unknown/release/wargate_client_component.wasm");
        let module = std::fs::read(&built).unwrap_or_else(|error| {
            unreachable!("{}: {error}; run `cargo xtask test`, which builds it", built.display())
        });
        let encoder = ComponentEncoder::default().validate(true).module(&module);
        let component = encoder.and_then(|mut encoder| encoder.encode()).unwrap();
        let engine = Engine::new(&Config::new()).unwrap();
        let component = Component::new(&engine, component).unwrap();
        (engine, component)
    })
}

impl Host {
    fn new(values: Values, handle: Handle) -> Self {
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY_BYTES_MAX).build();
        let (table, clock) = (ResourceTable::new(), Present::new());
        Self { table, limits, values, clock, http: http(), handle }
    }
}

fn failure(error: TransportError) -> wire::Failure {
    let fault = match error.fault {
        TransportFault::Connect => wire::Fault::Connect,
        TransportFault::Tls => wire::Fault::Tls,
        TransportFault::Timeout => wire::Fault::Timeout,
        TransportFault::Broken => wire::Fault::Broken,
        TransportFault::Body => wire::Fault::Body,
        TransportFault::Unsendable => wire::Fault::Unsendable,
    };
    wire::Failure { fault, message: error.message }
}

impl wire::Host for Host {
    fn send(&mut self, request: wire::Request) -> Result<Resource<Answer>, wire::Failure> {
        let mut builder =
            http::Request::builder().method(request.method.as_str()).uri(&request.url);
        for header in request.headers {
            builder = builder.header(header.name, header.value);
        }
        let body = request.body.map_or(RequestBody::Empty, |body| RequestBody::Bytes(body.into()));
        let request = builder.body(body).map_err(|error| wire::Failure {
            fault: wire::Fault::Unsendable,
            message: error.to_string(),
        })?;
        let answer = self.handle.block_on(self.http.send(request)).map_err(failure)?;
        let (head, body) = answer.into_parts();
        let headers = head.headers.iter().map(|(name, value)| wire::Header {
            name: name.as_str().to_owned(),
            value: value.as_bytes().to_vec(),
        });
        let answer = Answer { status: head.status.as_u16(), headers: headers.collect(), body };
        Ok(self.table.push(answer).unwrap())
    }
}

impl wire::HostAnswer for Host {
    fn status(&mut self, answer: Resource<Answer>) -> u16 {
        self.table.get(&answer).unwrap().status
    }

    fn headers(&mut self, answer: Resource<Answer>) -> Vec<wire::Header> {
        self.table.get(&answer).unwrap().headers.clone()
    }

    fn chunk(&mut self, answer: Resource<Answer>) -> Result<Option<Vec<u8>>, wire::Failure> {
        let answer = self.table.get_mut(&answer).unwrap();
        let chunk = self.handle.block_on(answer.body.chunk()).map_err(failure)?;
        Ok(chunk.map(Into::into))
    }

    fn drop(&mut self, answer: Resource<Answer>) -> wasmtime::Result<()> {
        self.table.delete(answer)?;
        Ok(())
    }
}

impl state::Host for Host {
    fn read(&mut self, key: String) -> Result<Option<Vec<u8>>, String> {
        Ok(self.values.lock().unwrap().get(&key).cloned())
    }

    fn write(&mut self, key: String, value: Vec<u8>) -> Result<(), String> {
        self.values.lock().unwrap().insert(key, value);
        Ok(())
    }

    fn remove(&mut self, key: String) -> Result<(), String> {
        self.values.lock().unwrap().remove(&key);
        Ok(())
    }

    fn list(&mut self, below: String) -> Result<Vec<String>, String> {
        let below = format!("{below}/");
        let values = self.values.lock().unwrap();
        Ok(values.keys().filter(|key| key.starts_with(&below)).cloned().collect())
    }
}

impl clock::Host for Host {
    fn now(&mut self) -> clock::Time {
        clock::Time { seconds: self.clock.seconds(), nanos: 0 }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.clock.pass(Duration::from_millis(milliseconds));
    }
}

impl random::Host for Host {
    fn bytes(&mut self, count: u32) -> Vec<u8> {
        vec![7; usize::try_from(count).unwrap()]
    }
}

fn instance(values: Values, handle: Handle) -> (Store<Host>, bindings::Client) {
    let (engine, component) = runtime();
    let mut store = Store::new(engine, Host::new(values, handle));
    store.limiter(|host| &mut host.limits);
    let mut linker = Linker::new(engine);
    bindings::Client::add_to_linker::<_, HasSelf<_>>(&mut linker, |host: &mut Host| host).unwrap();
    let instance = bindings::Client::instantiate(&mut store, component, &linker).unwrap();
    (store, instance)
}

/// One call, in an instance of its own.
fn call(
    settings: &Settings,
    values: Values,
    operation: Operation,
    handle: Handle,
) -> Result<(), Problem> {
    let (mut store, instance) = instance(values, handle);
    let exports = instance.wargate_client_packages();
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    match operation {
        Operation::Update(packages) => {
            exports.call_update(&mut store, settings, &names(packages)).unwrap().map(|_| ())
        }
        Operation::Follow(package) => {
            exports.call_update(&mut store, settings, &names(&[package])).unwrap().map(|_| ())
        }
        Operation::Discover => {
            exports.call_update(&mut store, settings, &names(&[HELLO])).unwrap().map(|_| ())
        }
        Operation::Get(package, version) => {
            exports.call_get(&mut store, settings, package, Some(version)).unwrap().map(|_| ())
        }
        Operation::Publish(version) => {
            let key = alice().to_text();
            let publishing =
                exports.call_publish(&mut store, settings, &key, HELLO, version, CONTENT);
            publishing.unwrap().map(|_| ())
        }
        Operation::Names => unreachable!("the component does not look up names"),
    }
}

impl Runner for Guest {
    fn new(served: &Served) -> Self {
        let settings = Settings {
            registry: served.url.clone(),
            operator_keys: vec![operator().public_key().id().to_string()],
            checkpoint_age_max_seconds: 24 * 60 * 60,
            attempts: 2,
            believed: None,
        };
        Self { settings, values: Values::default() }
    }

    fn believe(&mut self, checkpoint: String) {
        self.settings.believed = Some(checkpoint);
    }

    async fn run(&self, operation: Operation) -> Said {
        let (settings, values) = (self.settings.clone(), Arc::clone(&self.values));
        let handle = Handle::current();
        let calling =
            tokio::task::spawn_blocking(move || call(&settings, values, operation, handle));
        match calling.await.unwrap() {
            Ok(()) => Said { code: None, message: String::new(), culprit: None, evidence: false },
            Err(problem) => {
                let key = problem.evidence.map(|id| format!("evidence/{id}"));
                let evidence =
                    key.is_some_and(|key| self.values.lock().unwrap().contains_key(&key));
                let (code, message) = (Some(problem.code), problem.message);
                Said { code, message, culprit: problem.culprit, evidence }
            }
        }
    }

    fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        let mut values = self.values.lock().unwrap().clone();
        // What somebody else has seen is given with each call.
        values.retain(|key, _| kept::is_belief(key) && !key.ends_with("/believed"));
        values
    }

    fn does(operation: Operation) -> bool {
        operation != Operation::Names
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_already_is_no_error() {
    let served = Hostile::serve(truth(), Mode::Transcript, PRESENT).await;
    served.hostile.set(Stage::After);
    let guest = Guest::new(&served);
    let handle = Handle::current();
    let publish = move || {
        let (mut store, instance) = instance(Arc::clone(&guest.values), handle.clone());
        let (key, content) = (alice().to_text(), content(HELLO, "0.2.0", false));
        let exports = instance.wargate_client_packages();
        let published =
            exports.call_publish(&mut store, &guest.settings, &key, HELLO, "0.2.0", &content);
        let published = published.unwrap().unwrap();
        (published.id, published.registry_index)
    };
    let calls = tokio::task::spawn_blocking(move || [publish(), publish()]);
    let [first, again] = calls.await.unwrap();
    assert!(first.0.starts_with("sha256:") && first.1 > 0, "{first:?}");
    assert_eq!(first, again);
}
