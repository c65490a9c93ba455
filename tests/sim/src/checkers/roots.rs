//! OneRootPerGen, SwapIsAtomic and ConsumedIsMonotone: the roots of a bucket are one chain without gaps,
//! each made from the one before, and what they have consumed never falls.

use std::sync::Arc;

use skald_blob::BlobStore;
use skald_catalog::{Root, keys};

use super::Violation;

/// All roots, oldest first.
pub(super) async fn check(store: &Arc<dyn BlobStore>) -> Result<Vec<Root>, Violation> {
    let broken = |invariant, detail| Violation { invariant, detail };
    let listed = store.list(&keys::roots_prefix(0), None, usize::MAX).await.expect("memory lists");
    let mut roots: Vec<Root> = Vec::with_capacity(listed.len());
    for meta in listed.iter().rev() {
        let bytes = store.get(&meta.key).await.expect("it was listed");
        let root = Root::decode(&bytes).map_err(|e| broken("OneRootPerGen", format!("{}: {e}", meta.key)))?;
        if keys::parse_root_key(0, &meta.key) != Some(root.generation) {
            return Err(broken("OneRootPerGen", format!("{} holds generation {}", meta.key, root.generation)));
        }
        let genesis = Root::genesis(0);
        let before = roots.last().unwrap_or(&genesis);
        if root.generation != before.generation + 1 || root.parent != before.commit {
            let detail = format!("generation {} does not follow {}", root.generation, before.generation);
            return Err(broken("OneRootPerGen", detail));
        }
        if !root.consumed.covers(&before.consumed) || !root.ended.is_superset(&before.ended) {
            return Err(broken("ConsumedIsMonotone", format!("falls at generation {}", root.generation)));
        }
        roots.push(root);
    }
    Ok(roots)
}
