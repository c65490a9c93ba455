//! Names to addresses: who to join, and where peers reach us.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The port of members given without one: Loki's.
const PORT_DEFAULT: u16 = 7946;

/// All addresses of one join member. Every address of a name counts: a headless service has one per process.
pub(crate) async fn resolve(member: &str) -> std::io::Result<Vec<SocketAddr>> {
    let member = member.strip_prefix("dns+").unwrap_or(member);
    if let Ok(addr) = member.parse::<SocketAddr>() {
        return Ok(vec![addr]);
    }
    if let Ok(ip) = member.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, PORT_DEFAULT)]);
    }
    let has_port = member.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let with_port = if has_port { member.to_owned() } else { format!("{member}:{PORT_DEFAULT}") };
    Ok(tokio::net::lookup_host(with_port).await?.collect())
}

/// The address peers reach a process at that listens on `bind`: that very one if it is specific, else the
/// local address of the route to the first join member that resolves, else loopback.
pub(crate) async fn advertise_ip(bind: IpAddr, join_members: &[String]) -> IpAddr {
    if !bind.is_unspecified() {
        return bind;
    }
    for member in join_members {
        for peer in resolve(member).await.unwrap_or_default() {
            // Connecting a UDP socket sends nothing, it only picks the route.
            if let Ok(socket) = tokio::net::UdpSocket::bind((bind, 0)).await
                && socket.connect(peer).await.is_ok()
                && let Ok(local) = socket.local_addr()
            {
                return local.ip();
            }
        }
    }
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn members_may_be_addresses_with_and_without_port() {
        let cases = [
            ("127.0.0.2:7", "127.0.0.2:7"),
            ("127.0.0.2", "127.0.0.2:7946"),
            ("dns+127.0.0.2:8", "127.0.0.2:8"),
            ("[::1]:9", "[::1]:9"),
            ("::1", "[::1]:7946"),
        ];
        for (member, expect) in cases {
            assert_eq!(resolve(member).await.unwrap(), [expect.parse().unwrap()], "{member}");
        }
    }

    #[tokio::test]
    async fn an_unspecified_bind_address_is_never_advertised() {
        let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(advertise_ip(unspecified, &["127.0.0.1:1".into()]).await, loopback);
        assert_eq!(advertise_ip(unspecified, &[]).await, loopback);
        let specific: IpAddr = "127.0.0.9".parse().unwrap();
        assert_eq!(advertise_ip(specific, &[]).await, specific);
    }
}
