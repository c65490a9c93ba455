//! The service: its start, its contract, its end.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use skald_blob::BlobStore;
use skald_catalog::{Catalog, CatalogError, LogObject, Monotonic, SHARD_ZERO, View};
use skald_model::{CommitVector, LogPosition, TenantId, Timestamp, Writer};
use skald_ring::Rings;
use skald_segment::Directory;
use skald_wire::{RpcError, api::GatewayApi, pb};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{background::Background, config::GatewayConfig, metrics::GatewayMetrics, shard::ShardReader};

/// What an index gateway is made of.
pub struct GatewayParts {
    /// Its settings.
    pub config: GatewayConfig,
    /// The bucket.
    pub store: Arc<dyn BlobStore>,
    /// A clock that is never set back and goes on while the machine is suspended.
    pub clock: Monotonic,
    /// The cluster's gossip: log heads and root generations.
    pub rings: watch::Receiver<Arc<Rings>>,
    /// Ends the background work.
    pub shutdown: CancellationToken,
}

/// The running service.
pub struct IndexGateway {
    shard: Arc<ShardReader>,
    metrics: GatewayMetrics,
    shutdown: CancellationToken,
    background: Mutex<Option<JoinHandle<()>>>,
}

impl IndexGateway {
    /// Reads the catalog (one LIST of roots, one of writers) and begins to follow it. Serves from the first moment on.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn start(parts: GatewayParts, registry: &mut Registry) -> Result<Arc<Self>, CatalogError> {
        let metrics = GatewayMetrics::register(registry);
        let catalog = Catalog::new(parts.store, SHARD_ZERO);
        let shard = ShardReader::open(catalog, parts.clock, parts.config.grace, metrics.clone()).await?;
        let shard = Arc::new(shard);
        let background = Background {
            shard: shard.clone(),
            shard_name: SHARD_ZERO.to_string(),
            rings: parts.rings,
            config: parts.config,
            metrics: metrics.clone(),
            shutdown: parts.shutdown.clone(),
        };
        let background = Mutex::new(Some(tokio::spawn(background.run())));
        Ok(Arc::new(Self { shard, metrics, shutdown: parts.shutdown, background }))
    }

    /// Ends the background work and waits for it. The service goes on answering from its view.
    pub async fn shutdown(&self) {
        self.shutdown.cancel();
        let background = self.background.lock().take();
        if let Some(task) = background
            && let Err(error) = task.await
        {
            tracing::error!(%error, "index gateway's background work failed");
        }
    }

    async fn view_of(&self, request: pb::ViewRequest) -> Result<pb::ViewAnswer, RpcError> {
        let tenant = TenantId::new(&request.tenant).map_err(|error| RpcError::Invalid(error.to_string()))?;
        let need = request.need.as_ref().map(CommitVector::try_from).transpose()?.unwrap_or_default();
        self.shard.cover(&need).await.map_err(rpc_error)?;
        let range = Timestamp(request.from_ns)..Timestamp(request.to_ns);
        Ok(self.shard.with_view(|view| answer(view, &tenant, range)))
    }
}

#[async_trait]
impl GatewayApi for IndexGateway {
    async fn view(&self, request: pb::ViewRequest) -> Result<pb::ViewAnswer, RpcError> {
        self.metrics.views.inc();
        let answer = self.view_of(request).await;
        match &answer {
            Ok(answer) => self.metrics.sections.inc_by(answer.sections.len() as u64),
            Err(_) => self.metrics.view_failures.inc(),
        };
        answer
    }

    async fn committed(&self, notice: pb::CommitNotice) -> Result<(), RpcError> {
        let position = notice.position.ok_or_else(|| RpcError::Invalid("notice without a position".into()))?;
        let writer = Writer::new(&position.writer)
            .ok_or_else(|| RpcError::Invalid(format!("malformed writer id {:?}", position.writer)))?;
        let position = LogPosition { writer, seq: position.seq };
        let directory = Directory::decode(&notice.directory).map_err(|error| RpcError::Invalid(error.to_string()))?;
        if directory.commit.as_ref().map(|commit| &commit.position) != Some(&position) {
            return Err(RpcError::Invalid("directory of another log position".into()));
        }
        self.shard.insert(&position, LogObject::Flushed(Arc::new(directory)));
        // An earlier push was lost, or is late: the object exists, so those before it do.
        let need = [(position.writer, position.seq)].into_iter().collect();
        self.shard.cover(&need).await.map_err(rpc_error)
    }

    async fn rooted(&self, notice: pb::RootNotice) -> Result<(), RpcError> {
        if notice.shard != SHARD_ZERO.to_string() || notice.generation == 0 {
            return Err(RpcError::Invalid(format!("shard {:?} is not served here", notice.shard)));
        }
        self.shard.refresh_root(notice.generation - 1).await.map_err(rpc_error)
    }

    async fn seen(&self) -> Result<pb::CommitVector, RpcError> {
        Ok(pb::CommitVector::from(&self.shard.with_view(View::covers)))
    }
}

fn answer(view: &View, tenant: &TenantId, range: std::ops::Range<Timestamp>) -> pb::ViewAnswer {
    let sections = view.sections(tenant, range).into_iter().map(|section| pb::SectionRef {
        object: section.object.to_string(),
        entry: section.section.encode().into(),
        unfolded: section.unfolded,
    });
    pb::ViewAnswer {
        sections: sections.collect(),
        generation: view.root().generation,
        covers: Some(pb::CommitVector::from(&view.covers())),
    }
}

/// The caller may try again whatever went wrong with the bucket; damage is final.
fn rpc_error(error: CatalogError) -> RpcError {
    if error.is_transient() { RpcError::Unavailable(error.to_string()) } else { RpcError::Internal(error.to_string()) }
}
