//! `ip("…")`: addresses in text compared with one address, a range `a-b` or a network `a/n`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IpMatcher {
    low: IpAddr,
    high: IpAddr,
}

impl IpMatcher {
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        let error = || format!("ip: invalid pattern ({pattern:?}): not an address, range or network");
        if let Some((address, bits)) = pattern.split_once('/') {
            let address: IpAddr = address.trim().parse().map_err(|_| error())?;
            let bits: u32 = bits.trim().parse().map_err(|_| error())?;
            return network(address, bits).ok_or_else(error);
        }
        if let Some((low, high)) = pattern.split_once('-') {
            let low: IpAddr = low.trim().parse().map_err(|_| error())?;
            let high: IpAddr = high.trim().parse().map_err(|_| error())?;
            let ordered = low.is_ipv4() == high.is_ipv4() && low <= high;
            return if ordered { Ok(Self { low, high }) } else { Err(error()) };
        }
        let address: IpAddr = pattern.trim().parse().map_err(|_| error())?;
        Ok(Self { low: address, high: address })
    }

    fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.low.is_ipv4() && self.low <= address && address <= self.high
    }

    /// Whether any address in `text` matches.
    pub(super) fn finds(&self, text: &[u8]) -> bool {
        let v4 = self.low.is_ipv4();
        let part =
            |b: u8| if v4 { b.is_ascii_digit() || b == b'.' } else { b.is_ascii_hexdigit() || b == b':' || b == b'.' };
        text.split(|b| !part(*b)).any(|word| {
            // A sentence's full stop or a port's colon may stick to an address.
            let Ok(word) = std::str::from_utf8(word) else { return false };
            let plain = word.trim_matches('.');
            let candidates = [Some(word), Some(plain), plain.rsplit_once(':').map(|(address, _)| address)];
            candidates.into_iter().flatten().any(|c| c.parse().is_ok_and(|address| self.holds(address)))
        })
    }
}

fn network(address: IpAddr, bits: u32) -> Option<IpMatcher> {
    Some(match address {
        IpAddr::V4(v4) => {
            let host = (bits <= 32).then(|| u32::MAX.checked_shr(bits).unwrap_or(0))?;
            let base = u32::from(v4) & !host;
            IpMatcher { low: Ipv4Addr::from(base).into(), high: Ipv4Addr::from(base | host).into() }
        }
        IpAddr::V6(v6) => {
            let host = (bits <= 128).then(|| u128::MAX.checked_shr(bits).unwrap_or(0))?;
            let base = u128::from(v6) & !host;
            IpMatcher { low: Ipv6Addr::from(base).into(), high: Ipv6Addr::from(base | host).into() }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_addresses() {
        let cases = [
            ("192.168.0.1", "from 192.168.0.1:80 to x", true),
            ("192.168.0.1", "from 192.168.0.10", false),
            ("192.168.0.0/16", "a 192.168.99.7.", true),
            ("10.0.0.1-10.0.0.9", "10.0.0.5", true),
            ("10.0.0.1-10.0.0.9", "10.0.0.10", false),
            ("0.0.0.0/0", "no address 1.2.3", false),
            ("::1", "at ::1 now", true),
            ("2001:db8::/32", "[2001:db8::42]:443", true),
        ];
        for (pattern, text, expect) in cases {
            assert_eq!(IpMatcher::compile(pattern).unwrap().finds(text.as_bytes()), expect, "{pattern} in {text}");
        }
        for pattern in ["x", "1.2.3.4/33", "1.2.3.4-::1", "9.9.9.9-1.1.1.1", ""] {
            assert!(IpMatcher::compile(pattern).is_err(), "{pattern}");
        }
    }
}
