//! ApiVersions (18).

use klamm_protocol::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use klamm_protocol::{ApiKey, ErrorCode, Str};

use super::{Reply, Serve};
use crate::Release;
use crate::cluster::features;
use crate::cluster::links::Call;
use crate::cluster::{Cluster, Origin};
use crate::observe::Refusal;

impl Serve for ApiVersionsRequest {
    fn serve(self, cluster: &mut Cluster, origin: &Origin) -> Reply<ApiVersionsResponse> {
        let names = [&self.client_software_name, &self.client_software_version];
        if origin.version >= 3 && !names.into_iter().all(|name| is_software_name(name)) {
            return Reply::Now(self.refuse(ErrorCode::INVALID_REQUEST));
        }
        if self.cluster_id.as_ref().is_some_and(|id| *id != cluster.id)
            || self.node_id >= 0 && self.node_id != origin.broker
        {
            return Reply::Now(self.refuse(ErrorCode::REBOOTSTRAP_REQUIRED));
        }
        let advertised = cluster.links.advertised(origin.connection);
        let apis = advertised.iter().flat_map(|advertised| advertised.apis.iter());
        Reply::Now(ApiVersionsResponse {
            api_keys: apis.map(|range| api_version(*range)).collect(),
            supported_features: supported_features(cluster.release_of(origin.connection), origin.version),
            finalized_features_epoch: cluster.features.epoch,
            finalized_features: cluster.features.levels.iter().map(finalized_feature).collect(),
            ..ApiVersionsResponse::default()
        })
    }

    fn refuse(&self, error: ErrorCode) -> ApiVersionsResponse {
        ApiVersionsResponse { error_code: error, ..ApiVersionsResponse::default() }
    }
}

impl Cluster {
    /// A version that the broker lacks: the connection is closed, except that for ApiVersions itself the answer
    /// has the form of version 0, and since 2.4 says which versions there are (KIP-511).
    pub(super) fn refuse_version(&mut self, origin: &Origin, call: Call) {
        if call.api != ApiKey::API_VERSIONS {
            let reason = Refusal::UnsupportedVersion(call.api, call.version);
            return self.reject(origin.connection, reason);
        }
        if self.strike_unread(origin, call) {
            return;
        }
        let advertised = self.links.advertised(origin.connection);
        let own = advertised
            .filter(|advertised| advertised.release.at_least([2, 4, 0]))
            .and_then(|advertised| advertised.range(call.api.0));
        let response = ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            api_keys: own.map(api_version).into_iter().collect(),
            ..ApiVersionsResponse::default()
        };
        self.links.answer_as_version(origin.connection, 0);
        self.respond(origin.now, origin.connection, &response);
    }
}

/// The features that a release supports. Clients that ask in older versions would misunderstand a lowest level of 0,
/// and are not told of such features.
fn supported_features(release: Release, version: i16) -> Vec<SupportedFeatureKey> {
    let told = features::supported(release).iter().filter(|(_, min, ..)| *min > 0 || version >= 4);
    told.map(|(name, min_version, max_version, _)| SupportedFeatureKey {
        name: Str::from_static(name),
        min_version: *min_version,
        max_version: *max_version,
        ..SupportedFeatureKey::default()
    })
    .collect()
}

fn finalized_feature((name, level): (&String, &i16)) -> FinalizedFeatureKey {
    FinalizedFeatureKey {
        name: Str::copy_of(name),
        max_version_level: *level,
        min_version_level: *level,
        ..FinalizedFeatureKey::default()
    }
}

fn api_version((api_key, min_version, max_version): (i16, i16, i16)) -> ApiVersion {
    ApiVersion { api_key, min_version, max_version, ..ApiVersion::default() }
}

/// Letters and digits, in between also dashes and periods.
fn is_software_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    outer(name.as_bytes().first()) && outer(name.as_bytes().last()) && name.bytes().all(inner)
}
