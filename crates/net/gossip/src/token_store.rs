//! The token file on disk: read at the start, written once, replaced whole.

use skald_ring::{TokenFileError, decode_tokens, encode_tokens};
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Why an instance's place cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenStoreError {
    #[error("token file {path}: {source}")]
    Io { path: String, source: io::Error },
    #[error("token file {path}: {source}")]
    Content { path: String, source: TokenFileError },
}

/// The instance's token in the file; `None` when there is no file. A broken file is an error, not a new place:
/// the operator decides. Blocks.
pub(crate) fn load(path: &Path) -> Result<Option<u32>, TokenStoreError> {
    let name = || path.display().to_string();
    match fs::read(path) {
        Ok(bytes) => match decode_tokens(&bytes) {
            Ok(tokens) => Ok(tokens.first().copied()),
            Err(source) => Err(TokenStoreError::Content { path: name(), source }),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TokenStoreError::Io { path: name(), source }),
    }
}

/// Writes the file anew, durably. Blocks.
pub(crate) fn store(path: &Path, token: u32) -> Result<(), TokenStoreError> {
    write(path, &encode_tokens(&[token]))
        .map_err(|source| TokenStoreError::Io { path: path.display().to_string(), source })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let temporary = path.with_extension("tmp");
    let mut file = fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_token_comes_back_and_a_broken_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/ring-tokens");
        assert_eq!(load(&path).unwrap(), None);
        for token in [7, 8] {
            store(&path, token).unwrap();
            assert_eq!(load(&path).unwrap(), Some(token));
        }
        fs::write(&path, "{").unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("malformed token file"));
    }
}
