//! Which keys every backend can store under the same name.
//!
//! The rules are the intersection of S3 keys, URL paths and file names, so that a bucket can be
//! copied to a directory and back. Whoever builds keys from foreign text (tenant names) escapes it.

use crate::BlobError;

/// The longest key in bytes: S3's limit.
pub const KEY_BYTES_MAX: usize = 1024;

/// The longest part between slashes: the limit of common file systems.
const SEGMENT_BYTES_MAX: usize = 255;

/// Checks a key: non-empty parts of ASCII letters, digits and `-_.=+,@!'()`, joined by `/`, none of
/// them `.` or `..`.
///
/// A key must not also be the directory of other keys (`a` beside `a/b`): a file system cannot
/// hold both. That is for the layout to ensure.
pub fn check_key(key: &str) -> Result<(), BlobError> {
    let fault = if key.is_empty() {
        Some("it is empty")
    } else if key.len() > KEY_BYTES_MAX {
        Some("it is longer than 1024 bytes")
    } else {
        key.split('/').find_map(segment_fault)
    };
    match fault {
        Some(reason) => Err(BlobError::InvalidKey { key: key.to_owned(), reason }),
        None => Ok(()),
    }
}

/// Checks a prefix to list: empty, or a key followed by `/`. Prefixes of parts are not portable.
pub fn check_prefix(prefix: &str) -> Result<(), BlobError> {
    if prefix.is_empty() {
        return Ok(());
    }
    match prefix.strip_suffix('/') {
        Some(dir) => check_key(dir),
        None => Err(BlobError::InvalidKey { key: prefix.to_owned(), reason: "a prefix ends with a slash" }),
    }
}

fn segment_fault(segment: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.=+,@!'()".contains(&b);
    match segment {
        "" => Some("a part is empty"),
        "." | ".." => Some("a part is a dot or two"),
        s if s.len() > SEGMENT_BYTES_MAX => Some("a part is longer than 255 bytes"),
        s if !s.bytes().all(allowed) => Some("a character is not portable"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_prefixes() {
        let long_part = format!("a/{}", "x".repeat(256));
        let long_key = "ab/".repeat(400);
        let table = [
            ("log/w/00000001", true),
            ("a", true),
            ("a.b/c-d_e=f+g,h@i!j'k(l)", true),
            ("", false),
            ("/a", false),
            ("a/", false),
            ("a//b", false),
            ("a/../b", false),
            ("./a", false),
            ("a b", false),
            ("a*b", false),
            ("a%2Fb", false),
            ("ä", false),
            ("a\\b", false),
            ("a\nb", false),
            (long_part.as_str(), false),
            (long_key.trim_end_matches('/'), false),
        ];
        for (key, valid) in table {
            assert_eq!(check_key(key).is_ok(), valid, "{key:?}");
        }
        for (prefix, valid) in [("", true), ("a/", true), ("a/b/", true), ("a", false), ("/", false), ("a//", false)] {
            assert_eq!(check_prefix(prefix).is_ok(), valid, "{prefix:?}");
        }
    }
}
