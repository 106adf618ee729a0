//! What each broker can do: the release that it runs.

use std::sync::Arc;

use super::{Cluster, ConnectionId, api};
use crate::Release;

/// A release, and what its brokers advertise.
#[derive(Clone, Debug)]
pub(crate) struct Advertised {
    pub(crate) release: Release,
    /// Key, lowest and highest version.
    pub(crate) apis: Arc<[(i16, i16, i16)]>,
}

impl Advertised {
    pub(crate) fn by(release: Release) -> Self {
        Self { release, apis: api::advertised(release).into() }
    }

    pub(crate) fn range(&self, api: i16) -> Option<(i16, i16, i16)> {
        self.apis.iter().find(|(key, ..)| *key == api).copied()
    }
}

impl Cluster {
    /// Has a broker run another release, for all connections that are opened from now on. A broker that is really
    /// upgraded is down in between: [`kill`](Self::kill) it first, and [`restart`](Self::restart) it afterwards.
    ///
    /// What is the cluster's and not a broker's, such as the format of its logs and the defaults of topics, stays as
    /// [`ClusterConfig::release`](super::ClusterConfig::release) has it. Returns false if there is no such broker.
    pub fn set_release(&mut self, broker: i32, release: Release) -> bool {
        let known = self.brokers.iter_mut().find(|known| known.node.id == broker);
        known.is_some_and(|known| {
            known.advertised = Advertised::by(release);
            true
        })
    }

    /// The release that a broker runs.
    #[must_use]
    pub fn release(&self, broker: i32) -> Option<Release> {
        self.broker(broker).map(|broker| broker.advertised.release)
    }

    /// The release that the broker ran when the connection was opened.
    pub(crate) fn release_of(&self, connection: ConnectionId) -> Release {
        self.links.advertised(connection).map_or(self.config.release, |advertised| advertised.release)
    }
}
