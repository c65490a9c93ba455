//! Sizes in bytes as the language reads them: `5KB` is 5000, `5KiB` is 5120.

/// Reads a size: a decimal number and a unit, decimal (`kB MB GB TB PB EB`, also without the B) or
/// binary (`KiB MiB …`), any case, a blank between them allowed. Without a unit it is bytes. `None`
/// for anything else. Fractions of a byte are cut.
pub fn parse(text: &str) -> Option<u64> {
    let number = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.' || *b == b',').count();
    let value: f64 = text[..number].replace(',', "").parse().ok()?;
    let unit = text[number..].trim().to_ascii_lowercase();
    let factor = match unit.as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "p" | "pb" => 1e15,
        "e" | "eb" => 1e18,
        "ki" | "kib" => 1024.0,
        "mi" | "mib" => 1024f64.powi(2),
        "gi" | "gib" => 1024f64.powi(3),
        "ti" | "tib" => 1024f64.powi(4),
        "pi" | "pib" => 1024f64.powi(5),
        "ei" | "eib" => 1024f64.powi(6),
        _ => return None,
    };
    let bytes = value * factor;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// Writes a size so that reading it gives the same number again.
pub fn format(bytes: u64) -> String {
    const UNITS: &[(&str, u64)] = &[
        ("PiB", 1 << 50),
        ("PB", 1_000_000_000_000_000),
        ("TiB", 1 << 40),
        ("TB", 1_000_000_000_000),
        ("GiB", 1 << 30),
        ("GB", 1_000_000_000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("kB", 1_000),
    ];
    let whole = UNITS.iter().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    match whole {
        Some((unit, size)) => format!("{}{unit}", bytes / size),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads() {
        let cases = [
            ("5KB", Some(5_000)),
            ("5kb", Some(5_000)),
            ("5KiB", Some(5_120)),
            ("1.5MB", Some(1_500_000)),
            ("42", Some(42)),
            ("42B", Some(42)),
            ("1 GB", Some(1_000_000_000)),
            ("1,000B", Some(1_000)),
            ("x", None),
            ("5XB", None),
            ("", None),
        ];
        for (text, expect) in cases {
            assert_eq!(parse(text), expect, "{text}");
        }
    }

    #[test]
    fn written_sizes_read_back() {
        for bytes in [0, 1, 999, 1000, 1023, 1024, 1_500_000, 5 << 20, 3_000_000_000, 1 << 50] {
            assert_eq!(parse(&format(bytes)), Some(bytes), "{bytes}");
        }
    }
}
