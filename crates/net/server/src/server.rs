//! The two ports of a process: opened early, given routes when the services are there, closed last.

use std::{any::Any, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    middleware,
    response::{IntoResponse, Redirect},
};
use skald_config::Config;
use tonic::service::{Routes, RoutesBuilder};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    ApiError, BuildInfo, Lifecycle, Metrics, TenantPolicy,
    admin::{self, Admin},
    instrument::{self, Instrument},
    logging::LogHandle,
    request_id,
    serve::{Port, Switch},
};

/// Bodies of requests that are no pushes: queries as forms, a few kilobytes. Push routes set their own.
const BODY_BYTES_MAX: usize = 10 << 20;

/// What a server needs to know.
pub struct ServerParts {
    /// The effective configuration; shown by `/config`.
    pub config: Arc<Config>,
    /// The life of the process.
    pub lifecycle: Lifecycle,
    /// The registry behind `/metrics`.
    pub metrics: Metrics,
    /// The level behind `/log_level`.
    pub log: LogHandle,
    /// The facts behind `buildinfo`.
    pub build: BuildInfo,
}

/// What a process serves once its services are there.
#[derive(Default)]
pub struct Mount {
    /// Routes of the HTTP port. Status pages of the kit must not be among them.
    pub http: Router,
    /// Services of the gRPC port; health is added to them.
    pub grpc: RoutesBuilder,
    /// Pages to link from `/`: path and what it shows.
    pub links: Vec<(&'static str, &'static str)>,
}

/// Why the ports could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configured address is none.
    #[error("server.http_listen_address '{address}' is not an IP address")]
    Address {
        /// The address as configured.
        address: String,
    },
    /// A port is taken or not allowed.
    #[error("cannot listen on {addr}: {error}")]
    Bind {
        /// The address that was tried.
        addr: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
}

/// The open ports of this process.
pub struct Server {
    parts: Arc<ServerParts>,
    http: Port,
    http_routes: Switch,
    grpc: Port,
    grpc_routes: Switch,
    health: HealthReporter,
}

impl Server {
    /// Opens both ports. The HTTP port answers `/ready` and the status pages from here on, everything
    /// else with 503; the gRPC port answers `unavailable`.
    ///
    /// # Errors
    /// If a port cannot be opened.
    pub async fn bind(parts: ServerParts) -> Result<Self, ServerError> {
        let parts = Arc::new(parts);
        let server = &parts.config.server;
        let ip = match server.http_listen_address.as_str() {
            "" => std::net::Ipv4Addr::UNSPECIFIED.into(),
            text => text.parse().map_err(|_| ServerError::Address { address: text.to_owned() })?,
        };
        let (health, _) = tonic_health::server::health_reporter();
        let not_yet = Router::new().fallback(|| async { ApiError::unavailable("starting", Duration::from_secs(1)) });
        let http_routes = Switch::new(http_router(&parts, not_yet, &[]));
        let grpc_routes = Switch::new(
            Router::new().fallback(|| async { tonic::Status::unavailable("starting").into_http::<axum::body::Body>() }),
        );
        let http = open(SocketAddr::new(ip, server.http_listen_port), &http_routes).await?;
        let grpc = open(SocketAddr::new(ip, server.grpc_listen_port), &grpc_routes).await?;
        tracing::info!(http = %http.addr, grpc = %grpc.addr, "listening");
        Ok(Self { parts, http, http_routes, grpc, grpc_routes, health })
    }

    /// Where the HTTP port is; with port 0 configured, the one the system chose.
    pub fn http_addr(&self) -> SocketAddr {
        self.http.addr
    }

    /// Where the gRPC port is.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc.addr
    }

    /// Puts the routes of the services in place.
    pub async fn mount(&mut self, mount: Mount) {
        let Mount { http, mut grpc, links } = mount;
        let (health, service) = tonic_health::server::health_reporter();
        health.set_service_status("", ServingStatus::Serving).await;
        self.health = health;
        grpc.add_service(service);
        self.grpc_routes.set(grpc_router(&self.parts, grpc.routes()));
        let http = http.fallback(|| async { ApiError::not_found() });
        self.http_routes.set(http_router(&self.parts, http, &links));
    }

    /// Says over gRPC health that this process takes no new work; calls go on being answered.
    pub async fn set_not_serving(&self) {
        self.health.set_service_status("", ServingStatus::NotServing).await;
    }

    /// Closes both ports: no new connections, requests under way may take up to
    /// `server.graceful_shutdown_timeout`, what is left then is cut off.
    pub async fn close(&self) {
        let bound = self.parts.config.server.graceful_shutdown_timeout.duration();
        let (http, grpc) = tokio::join!(self.http.close(bound), self.grpc.close(bound));
        if !(http && grpc) {
            tracing::warn!(after = ?bound, "requests were cut off, see server.graceful_shutdown_timeout");
        }
    }
}

/// Gzips responses of a route for clients that accept it; for query endpoints:
/// `router.layer(skald_server::gzip())`.
pub fn gzip() -> CompressionLayer {
    CompressionLayer::new()
}

async fn open(addr: SocketAddr, routes: &Switch) -> Result<Port, ServerError> {
    Port::open(addr, routes.clone()).await.map_err(|error| ServerError::Bind { addr, error })
}

/// The whole HTTP side: status pages, services, and what surrounds them.
fn http_router(parts: &Arc<ServerParts>, services: Router, links: &[(&'static str, &'static str)]) -> Router {
    let admin = Admin { parts: Arc::clone(parts), links: links.to_vec() };
    let routes =
        admin::router(admin).merge(services).method_not_allowed_fallback(|| async { ApiError::method_not_allowed() });
    let prefix = parts.config.server.http_path_prefix.as_str();
    let routes = match prefix {
        "" => routes,
        prefix => {
            // Nesting serves the status page at the bare prefix only; browsers are sent there.
            let home = prefix.to_owned();
            let redirect = axum::routing::get(move || async move { Redirect::permanent(&home) });
            Router::new()
                .nest(prefix, routes)
                .route(&format!("{prefix}/"), redirect)
                .fallback(|| async { ApiError::not_found() })
        }
    };
    let state = Instrument { metrics: parts.metrics.clone(), prefix: prefix.into() };
    let tenants = Arc::new(TenantPolicy::from_config(&parts.config));
    // The last layer is the outermost: ids around measurements around panics.
    routes
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(Extension(tenants))
        .layer(catch_panic(parts))
        .layer(middleware::from_fn_with_state(state, instrument::http))
        .layer(middleware::from_fn(request_id::middleware))
}

fn grpc_router(parts: &Arc<ServerParts>, services: Routes) -> Router {
    let state = Instrument { metrics: parts.metrics.clone(), prefix: "".into() };
    services
        .into_axum_router()
        .layer(catch_panic(parts))
        .layer(middleware::from_fn_with_state(state, instrument::grpc))
        .layer(middleware::from_fn(request_id::middleware))
}

type OnPanic = Arc<dyn Fn(Box<dyn Any + Send>) -> axum::response::Response + Send + Sync>;

/// [`CatchPanicLayer`] wants a type that can be cloned.
#[derive(Clone)]
struct Panics(OnPanic);

impl tower_http::catch_panic::ResponseForPanic for Panics {
    type ResponseBody = axum::body::Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send>) -> http::Response<axum::body::Body> {
        (self.0)(panic).into_response()
    }
}

fn catch_panic(parts: &Arc<ServerParts>) -> CatchPanicLayer<Panics> {
    let metrics = parts.metrics.clone();
    CatchPanicLayer::custom(Panics(Arc::new(move |panic| instrument::on_panic(&metrics, &*panic))))
}
