//! What a component has around it: WASI 0.2 and outgoing HTTP, as far as they are granted.

use std::sync::Arc;

use http::{Request, Response, Uri};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime::{Engine, ResourceLimiter};
use wasmtime_wasi::p2::SocketError;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{self, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{
    self, ErrorCode, IpAddress, Network as WasiNetwork,
};
use wasmtime_wasi::p2::{DynPollable, add_to_linker_async};
use wasmtime_wasi::sockets::{WasiSocketsCtxView, WasiSocketsView};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::add_only_http_to_linker_async;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::failure::Failure;
use crate::grants::Grants;
use crate::limits::{INSTANCES_MAX, RANDOM_BYTES_MAX, RESOURCES_MAX, TABLE_ELEMENTS_MAX};
use crate::network::Network;

/// What one instance has around it.
pub(crate) struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    requests: Requests,
    /// What it takes of memory, and may take.
    pub(crate) memory: Memory,
}

impl Host {
    /// For a command: the terminal is its own.
    ///
    /// # Errors
    /// A directory that cannot be opened.
    pub(crate) fn of_command(
        grants: &Grants,
        arguments: &[String],
        memory: usize,
    ) -> Result<Self, Failure> {
        let mut builder = WasiCtxBuilder::new();
        builder.inherit_stdio().args(arguments);
        // Nobody else waits for this thread.
        builder.allow_blocking_current_thread(true);
        Self::new(builder, grants, memory)
    }

    /// For the answer to a request: what it prints goes to standard error.
    ///
    /// # Errors
    /// A directory that cannot be opened.
    pub(crate) fn of_request(grants: &Grants, memory: usize) -> Result<Self, Failure> {
        let mut builder = WasiCtxBuilder::new();
        builder.stdout(std::io::stderr()).stderr(std::io::stderr());
        Self::new(builder, grants, memory)
    }

    fn new(mut builder: WasiCtxBuilder, grants: &Grants, memory: usize) -> Result<Self, Failure> {
        builder.envs(&grants.variables).max_random_size(RANDOM_BYTES_MAX);
        for directory in &grants.directories {
            let mode = if directory.may_write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            builder.preopened_dir(&directory.host, &directory.guest, mode).map_err(|error| {
                let host = directory.host.display();
                Failure::local(format!("`--dir`: {host} cannot be opened: {error}"))
            })?;
        }
        let network = Arc::clone(&grants.network);
        let checked = Arc::clone(&network);
        builder
            .allow_udp(false)
            .allow_tcp(network.allows_tcp())
            .allow_ip_name_lookup(network.allows_tcp())
            .socket_addr_check(move |address, purpose| {
                let network = Arc::clone(&checked);
                // Names may have to be looked up.
                let allows = move || network.allows_socket(address, purpose);
                let asked = tokio::task::spawn_blocking(allows);
                Box::pin(async move { asked.await.unwrap_or(false) })
            });
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Ok(Self {
            wasi: builder.build(),
            table,
            http: WasiHttpCtx::new(),
            requests: Requests(network),
            memory: Memory { left: memory, tables_left: TABLE_ELEMENTS_MAX, was_refused: false },
        })
    }
}

/// All that a component can import here.
///
/// # Errors
/// None that a component could cause.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    // Where other programs are built along, there are two, and nobody chooses for us. It may be there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut linker = Linker::new(engine);
    add_to_linker_async(&mut linker)?;
    add_only_http_to_linker_async(&mut linker)?;
    // In the place of the one that knows only all names or none.
    linker.allow_shadowing(true);
    ip_name_lookup::add_to_linker::<Host, Lookup>(&mut linker, |host| Lookups {
        network: Arc::clone(&host.requests.0),
        sockets: host.sockets(),
    })?;
    linker.allow_shadowing(false);
    Ok(linker)
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Host {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.requests }
    }
}

/// Who may be sent HTTP requests.
struct Requests(Arc<Network>);

/// An answer to a request, and what carries on its connection.
type Answered = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Requests {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answered, Error>> + Send> {
        let is_allowed = allows(&self.0, request.uri());
        Box::new(async move {
            use http_body_util::BodyExt;
            if !is_allowed {
                return Err(Error::HttpRequestDenied);
            }
            let (response, rest) =
                wasmtime_wasi_http::default_send_request(request, options).await?;
            let rest: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(rest);
            Ok((response.map(BodyExt::boxed_unsync), rest))
        })
    }
}

fn allows(network: &Network, uri: &Uri) -> bool {
    let is_https = uri.scheme_str() == Some("https");
    // What stands before an `@` is no part of the host, and nothing that is sent.
    let plain = uri.authority().filter(|authority| !authority.as_str().contains('@'));
    plain.is_some_and(|it| network.allows_http(it.host(), it.port_u16(), is_https))
}

/// Looking up names, of which only those are allowed that connections may be made to.
struct Lookup;

impl HasData for Lookup {
    type Data<'a> = Lookups<'a>;
}

struct Lookups<'a> {
    network: Arc<Network>,
    sockets: WasiSocketsCtxView<'a>,
}

impl network::HostNetwork for Lookups<'_> {
    fn drop(&mut self, network: Resource<WasiNetwork>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets, network)
    }
}

impl network::Host for Lookups<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.sockets.convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.sockets.network_error_code(error)
    }
}

impl ip_name_lookup::Host for Lookups<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<WasiNetwork>,
        name: String,
    ) -> Result<Resource<ResolveAddressStream>, SocketError> {
        if !self.network.allows_lookup(&name) {
            return Err(ErrorCode::AccessDenied.into());
        }
        self.sockets.resolve_addresses(network, name)
    }
}

impl ip_name_lookup::HostResolveAddressStream for Lookups<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        self.sockets.resolve_next_address(stream)
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        self.sockets.subscribe(stream)
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        ip_name_lookup::HostResolveAddressStream::drop(&mut self.sockets, stream)
    }
}

/// Memory, counted over all memories of a component.
pub(crate) struct Memory {
    /// In bytes.
    left: usize,
    /// In elements of tables.
    tables_left: usize,
    /// Whether it asked for more.
    pub(crate) was_refused: bool,
}

impl Memory {
    fn grow(
        left: &mut usize,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Option<()> {
        let more = desired.saturating_sub(current);
        let is_possible = maximum.is_none_or(|maximum| desired <= maximum);
        *left = left.checked_sub(more).filter(|_| is_possible)?;
        Some(())
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown = Self::grow(&mut self.left, current, desired, maximum).is_some();
        self.was_refused |= !grown;
        Ok(grown)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(Self::grow(&mut self.tables_left, current, desired, maximum).is_some())
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        INSTANCES_MAX
    }

    fn memories(&self) -> usize {
        INSTANCES_MAX
    }
}
