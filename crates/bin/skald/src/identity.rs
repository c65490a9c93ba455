//! Who this process is to the others.

use std::net::SocketAddr;

use anyhow::{Result, anyhow};
use skald_config::Config;
use skald_server::{Server, advertise_address};

/// The name and the addresses of a process.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The stable name, unique in the cluster.
    pub(crate) id: String,
    /// Where others reach its gRPC port.
    pub(crate) grpc: String,
    /// Where others reach its HTTP port.
    pub(crate) http: String,
}

impl Identity {
    /// From the configuration and the ports that were opened.
    pub(crate) fn new(config: &Config, server: &Server) -> Result<Self> {
        let ip = advertise_address(config).map_err(|error| anyhow!(error))?;
        let at = |port| SocketAddr::new(ip, port).to_string();
        Ok(Self {
            id: config.common.ring.instance_id.clone(),
            grpc: at(server.grpc_addr().port()),
            http: at(server.http_addr().port()),
        })
    }
}
