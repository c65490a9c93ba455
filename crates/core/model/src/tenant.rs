//! Tenants: the character rules are Loki's, so that an id that works there works here.

use std::{borrow::Borrow, fmt, sync::Arc};

/// The longest tenant id in bytes.
const TENANT_ID_BYTES_MAX: usize = 150;

/// A valid tenant id. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

/// Why a string is no tenant id. The texts are those clients of Loki know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenantIdError {
    /// Nothing left of the header.
    #[error("no org id")]
    Empty,
    /// More than 150 bytes.
    #[error("tenant ID is too long: max {TENANT_ID_BYTES_MAX} characters")]
    TooLong,
    /// A character outside `[A-Za-z0-9!\-_.*'()]`.
    #[error("tenant ID '{id}' contains unsupported character '{character}'")]
    UnsupportedCharacter {
        /// The id as it came.
        id: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// `.` and `..` would be path segments.
    #[error("tenant ID is '.' or '..'")]
    Unsafe,
}

impl TenantId {
    /// Checks and keeps `id`. Text from the first `:` on is tenant metadata and is dropped.
    ///
    /// # Errors
    /// The first rule that `id` breaks.
    pub fn new(id: &str) -> Result<Self, TenantIdError> {
        let id = id.split(':').next().unwrap_or_default();
        if id.is_empty() {
            return Err(TenantIdError::Empty);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "!-_.*'()".contains(c);
        if let Some(character) = id.chars().find(|&c| !allowed(c)) {
            return Err(TenantIdError::UnsupportedCharacter { id: id.to_owned(), character });
        }
        if id.len() > TENANT_ID_BYTES_MAX {
            return Err(TenantIdError::TooLong);
        }
        if id == "." || id == ".." {
            return Err(TenantIdError::Unsafe);
        }
        Ok(Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TenantId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{TenantId, TenantIdError};

    #[test]
    fn rules() {
        let long = "x".repeat(151);
        let cases: &[(&str, Result<&str, &str>)] = &[
            ("fake", Ok("fake")),
            ("a-b_c.d!e*f'g(h)", Ok("a-b_c.d!e*f'g(h)")),
            ("team:region=eu", Ok("team")),
            ("", Err("no org id")),
            (".", Err("tenant ID is '.' or '..'")),
            ("..", Err("tenant ID is '.' or '..'")),
            ("a/b", Err("tenant ID 'a/b' contains unsupported character '/'")),
            ("a|b", Err("tenant ID 'a|b' contains unsupported character '|'")),
            (&long, Err("tenant ID is too long: max 150 characters")),
        ];
        for (id, expect) in cases {
            let got = TenantId::new(id).map(|t| t.to_string()).map_err(|e: TenantIdError| e.to_string());
            assert_eq!(got, expect.map(str::to_owned).map_err(str::to_owned), "{id}");
        }
    }
}
