//! Under which address others reach this process.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use skald_config::Config;

/// Any address outside: connecting a UDP socket sends nothing, but makes the kernel choose a route.
const ELSEWHERE: &str = "192.0.2.1:9";

/// The address from the configuration, else the listen address if it is a single one, else that of the
/// route to the outside, else loopback.
///
/// # Errors
/// If the configured address is not an IP address; the text names the key.
pub fn advertise_address(config: &Config) -> Result<IpAddr, String> {
    let configured = &config.common.instance_addr;
    if !configured.is_empty() {
        return configured.parse().map_err(|_| format!("common.instance_addr '{configured}' is not an IP address"));
    }
    if let Ok(listen) = config.server.http_listen_address.parse::<IpAddr>()
        && !listen.is_unspecified()
    {
        return Ok(listen);
    }
    Ok(outward().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)))
}

fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::advertise_address;
    use skald_config::Config;

    #[test]
    fn configured_first_then_listened_on() {
        let mut config = Config::default();
        assert!(advertise_address(&config).is_ok());
        config.server.http_listen_address = "127.0.0.7".to_owned();
        assert_eq!(advertise_address(&config).unwrap().to_string(), "127.0.0.7");
        config.common.instance_addr = "10.1.2.3".to_owned();
        assert_eq!(advertise_address(&config).unwrap().to_string(), "10.1.2.3");
        config.common.instance_addr = "nowhere".to_owned();
        assert!(advertise_address(&config).unwrap_err().contains("common.instance_addr"));
    }
}
