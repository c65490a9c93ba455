//! LiveIsPresent: every page, object and section that a root names exists and can be read.

use std::{collections::HashSet, sync::Arc};

use skald_blob::BlobStore;
use skald_catalog::{Catalog, Root};

use super::Violation;
use crate::rows;

/// Looks at what each of `roots` names.
pub(super) async fn check(store: &Arc<dyn BlobStore>, roots: &[Root]) -> Result<(), Violation> {
    let broken = |detail| Violation { invariant: "LiveIsPresent", detail };
    let catalog = Catalog::new(store.clone(), 0);
    let mut seen = HashSet::new();
    for root in roots {
        let content = catalog.content(Arc::new(root.clone()), None).await;
        let content = content.map_err(|e| broken(format!("generation {}: {e}", root.generation)))?;
        for entry in content.entries().filter(|entry| seen.insert(entry.key())) {
            let read = rows::read_section(store, &entry.object, &entry.section).await;
            let read = read.map_err(|e| broken(format!("generation {}: {e}", root.generation)))?;
            let rows: u64 = read.iter().map(|rows| rows.len() as u64).sum();
            if rows != entry.section.rows {
                return Err(broken(format!("{} holds {rows} of {} rows", entry.object, entry.section.rows)));
            }
        }
    }
    Ok(())
}
