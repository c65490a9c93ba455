//! The index gateways, who like to hear of every commit.
//!
//! Telling them saves them a read of the bucket and nothing depends on it: a lost notice is made up for
//! by gossip, by probes, or by the query that needs the object.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use skald_model::{CommitVector, LogPosition};
use skald_segment::Directory;
use skald_wire::{api::GatewayApi, pb};

/// The gateways of the moment.
pub type Gateways = Arc<dyn Fn() -> Vec<Arc<dyn GatewayApi>> + Send + Sync>;

/// A gateway that takes longer learns of the commit in another way.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait before asking again whether a gateway has seen the end of the log.
const SEEN_POLL: Duration = Duration::from_millis(50);

/// Tells all gateways; failures are not worth more than a line in the debug log.
pub(crate) async fn tell(gateways: Vec<Arc<dyn GatewayApi>>, position: LogPosition, directory: Directory) {
    let position = pb::LogPosition { writer: position.writer.to_string(), seq: position.seq };
    let notice = pb::CommitNotice { position: Some(position), directory: Bytes::from(directory.encode()) };
    join_all(gateways.iter().map(async |gateway| {
        match tokio::time::timeout(NOTICE_TIMEOUT, gateway.committed(notice.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a gateway did not take the notice of a commit"),
            Err(_) => tracing::debug!("a gateway took too long to take the notice of a commit"),
        }
    }))
    .await;
}

/// Returns once a gateway has seen `position`. Dropping the future gives up.
pub(crate) async fn until_seen(gateways: &Gateways, position: &LogPosition) {
    let need: CommitVector = [(position.writer.clone(), position.seq)].into_iter().collect();
    loop {
        let asked = gateways();
        if asked.is_empty() {
            return;
        }
        let answers = join_all(asked.iter().map(async |gateway| {
            let seen = tokio::time::timeout(NOTICE_TIMEOUT, gateway.seen()).await.ok()?.ok()?;
            CommitVector::try_from(&seen).ok()
        }));
        if answers.await.into_iter().flatten().any(|seen| seen.covers(&need)) {
            return;
        }
        tokio::time::sleep(SEEN_POLL).await;
    }
}
