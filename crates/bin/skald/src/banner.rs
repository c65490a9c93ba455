//! What a person sees who starts Skald without a configuration.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use skald_config::Config;

/// Prints where to push, where to query, and what holds without a configuration file.
pub(crate) fn print(config: &Config, http: SocketAddr) {
    let ip = if http.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { http.ip() };
    let url = format!("http://{}", SocketAddr::new(ip, http.port()));
    let prefix = &config.server.http_path_prefix;
    let limits = &config.limits_config;
    println!(
        "\
Skald is running, everything in one process.

  push      {url}{prefix}/loki/api/v1/push
  query     {url}{prefix}/loki/api/v1/query_range, or {url} as a Loki data source in Grafana
  status    {url}{prefix}/
  data      {}

Without a configuration file there are no tenants (everything belongs to \"{}\"), and the limits are
generous: {} MB/s and {} streams instead of 4 MB/s and 5000. Ctrl-C stops it; nothing is lost.
",
        config.common.path_prefix.display(),
        config.no_auth_tenant,
        limits.ingestion_rate_mb,
        limits.max_global_streams_per_user,
    );
}
