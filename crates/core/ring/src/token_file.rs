//! The file in which an instance keeps its place: Loki's layout, a JSON object with a list of tokens.
//!
//! An instance that returns with this file, under whatever name, owns what it owned before. Reading
//! and writing the file is the caller's; here are only its bytes.

/// Longest file that is looked at: Loki's files hold up to a few hundred tokens of at most eleven bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// Why bytes are no token file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFileError {
    /// Not of the form `{"tokens":[1,2,…]}` with numbers that fit 32 bits.
    #[error("malformed token file: expected {{\"tokens\":[…]}}")]
    Malformed,
    /// The list is empty.
    #[error("token file holds no token")]
    Empty,
}

/// The bytes of a token file.
pub fn encode_tokens(tokens: &[u32]) -> Vec<u8> {
    let list: Vec<String> = tokens.iter().map(u32::to_string).collect();
    format!("{{\"tokens\":[{}]}}\n", list.join(",")).into_bytes()
}

/// The tokens of a file. Of a file with several (one that Loki wrote) the first is the instance's.
///
/// # Errors
/// When the bytes are no token file or it is empty.
pub fn decode_tokens(bytes: &[u8]) -> Result<Vec<u32>, TokenFileError> {
    let text = std::str::from_utf8(bytes).ok().filter(|t| t.len() <= FILE_BYTES_MAX);
    let list = text.and_then(token_list).ok_or(TokenFileError::Malformed)?.trim();
    if list.is_empty() {
        return Err(TokenFileError::Empty);
    }
    list.split(',').map(|token| token.trim().parse().map_err(|_| TokenFileError::Malformed)).collect()
}

/// What stands between the brackets.
fn token_list(text: &str) -> Option<&str> {
    let object = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let value = object.trim().strip_prefix("\"tokens\"")?.trim_start().strip_prefix(':')?;
    value.trim().strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_refuses() {
        for tokens in [&[7][..], &[0, u32::MAX, 12]] {
            assert_eq!(decode_tokens(&encode_tokens(tokens)).unwrap(), tokens);
        }
        let cases = [
            ("{ \"tokens\": [\n 1, 2 ] }", Ok(vec![1, 2])),
            ("{\"tokens\":[]}", Err(TokenFileError::Empty)),
            ("{\"tokens\":[4294967296]}", Err(TokenFileError::Malformed)),
            ("{\"tokens\":[-1]}", Err(TokenFileError::Malformed)),
            ("", Err(TokenFileError::Malformed)),
            ("{\"tokens\":[1 2]}", Err(TokenFileError::Malformed)),
            ("[1]", Err(TokenFileError::Malformed)),
        ];
        for (text, expect) in cases {
            assert_eq!(decode_tokens(text.as_bytes()), expect, "{text}");
        }
    }
}
