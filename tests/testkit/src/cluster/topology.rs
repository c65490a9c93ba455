//! How many of each service, and how they are set up.

use std::{net::Ipv4Addr, path::Path};

use super::{Cluster, workspace_root};

/// A service with a program of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Serves catalog views.
    IndexGateway,
    /// Queues query tasks.
    QueryScheduler,
    /// Holds recent rows.
    Ingester,
    /// Runs query tasks.
    Querier,
    /// Answers the query API.
    QueryFrontend,
    /// Accepts pushes.
    Distributor,
    /// Folds flushed objects.
    Compactor,
}

impl Service {
    /// All, in the order of starting: those that others need first.
    pub const ALL: [Self; 7] = [
        Self::IndexGateway,
        Self::QueryScheduler,
        Self::Ingester,
        Self::Querier,
        Self::QueryFrontend,
        Self::Distributor,
        Self::Compactor,
    ];

    /// All, in the order of stopping: those that take work first.
    pub const STOP_ORDER: [Self; 7] = [
        Self::Distributor,
        Self::QueryFrontend,
        Self::Querier,
        Self::Ingester,
        Self::Compactor,
        Self::QueryScheduler,
        Self::IndexGateway,
    ];

    /// The name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::IndexGateway => "index-gateway",
            Self::QueryScheduler => "query-scheduler",
            Self::Ingester => "ingester",
            Self::Querier => "querier",
            Self::QueryFrontend => "query-frontend",
            Self::Distributor => "distributor",
            Self::Compactor => "compactor",
        }
    }
}

/// The shape of a cluster.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Distributors.
    pub distributors: usize,
    /// Ingesters.
    pub ingesters: usize,
    /// Queriers.
    pub queriers: usize,
    /// Copies of every stream.
    pub replication_factor: usize,
    /// Whether there is a Redis.
    pub redis: bool,
    /// Whether the terminal's Ctrl-C passes the processes by, for an owner that catches it and stops
    /// them in order. Elsewhere they had better end with their owner.
    pub own_groups: bool,
    /// Settings by their path in the configuration file, after all others: `("ingester.memtable_age", "1s")`.
    pub settings: Vec<(String, String)>,
}

impl Topology {
    /// The cluster on a laptop: two distributors, three ingesters with three copies, two queriers.
    pub fn laptop() -> Self {
        let redis = super::Redis::is_installed();
        Self {
            distributors: 2,
            ingesters: 3,
            queriers: 2,
            replication_factor: 3,
            redis,
            own_groups: false,
            // Ready as soon as it is: nobody rolls out on a laptop.
            settings: vec![("ingester.lifecycler.min_ready_duration".to_owned(), "0s".to_owned())],
        }
    }

    /// The same with timers so short that a test sees a flush, a fold and a failure within seconds.
    pub fn quick() -> Self {
        let settings = [
            ("common.ring.heartbeat_period", "200ms"),
            ("common.ring.heartbeat_timeout", "2s"),
            ("memberlist.gossip_interval", "50ms"),
            ("ingester.memtable_age", "1s"),
            ("compactor.compaction_interval", "1s"),
        ];
        settings.into_iter().fold(Self::laptop(), |topology, (path, value)| topology.with(path, value))
    }

    /// With one more setting.
    pub fn with(mut self, path: &str, value: &str) -> Self {
        self.settings.push((path.to_owned(), value.to_owned()));
        self
    }

    /// How many processes that makes, without the object store and Redis.
    pub fn processes(&self) -> usize {
        Service::ALL.into_iter().map(|service| self.count(service)).sum()
    }

    pub(super) fn count(&self, service: Service) -> usize {
        match service {
            Service::Distributor => self.distributors,
            Service::Ingester => self.ingesters,
            Service::Querier => self.queriers,
            _ => 1,
        }
    }

    /// The arguments of one process: `config/cluster.yaml` and what differs between processes.
    pub(super) fn arguments(
        &self,
        cluster: &Cluster,
        service: Service,
        name: &str,
        address: Ipv4Addr,
        folder: &Path,
    ) -> Vec<String> {
        let config = workspace_root().join("config/cluster.yaml");
        let schedulers: Vec<_> =
            cluster.addresses(Service::QueryScheduler).iter().map(|a| format!("{a}:9095")).collect();
        let redis = cluster.redis_address().map_or_else(String::new, |a| a.to_string());
        let mut settings = vec![
            ("server.http_listen_address".to_owned(), address.to_string()),
            ("common.instance_addr".to_owned(), address.to_string()),
            ("common.path_prefix".to_owned(), folder.join("data").display().to_string()),
            ("common.replication_factor".to_owned(), self.replication_factor.to_string()),
            ("common.ring.instance_id".to_owned(), name.to_owned()),
            ("memberlist.bind_addr".to_owned(), address.to_string()),
            ("memberlist.join_members".to_owned(), format!("{}:7946", cluster.seed(address))),
            ("storage_config.s3.endpoint".to_owned(), format!("http://{}", cluster.s3_address())),
            ("storage_config.s3.access_key_id".to_owned(), crate::s3::ACCESS_KEY_ID.to_owned()),
            ("storage_config.s3.secret_access_key".to_owned(), crate::s3::SECRET_ACCESS_KEY.to_owned()),
            ("frontend.scheduler_address".to_owned(), schedulers.join(",")),
            ("cache.redis.endpoint".to_owned(), redis),
        ];
        settings.extend(self.settings.iter().cloned());
        let mut arguments = vec![format!("-config.file={}", config.display()), "-config.expand-env".to_owned()];
        arguments.push(format!("-target={}", service.name()));
        arguments.extend(settings.into_iter().map(|(path, value)| format!("-{path}={value}")));
        arguments
    }
}
