//! ApiVersions (18).

use klamm_protocol::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use klamm_protocol::{ApiKey, ErrorCode};

use super::{Reply, Serve};
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
        let api_keys = cluster.apis.iter().map(|range| api_version(*range)).collect();
        Reply::Now(ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() })
    }

    fn refuse(&self, error: ErrorCode) -> ApiVersionsResponse {
        ApiVersionsResponse { error_code: error, ..ApiVersionsResponse::default() }
    }
}

impl Cluster {
    /// A version that the broker lacks: the connection is closed, except that for ApiVersions itself the answer
    /// has the form of version 0, and since 2.4 says which versions there are (KIP-511).
    pub(super) fn refuse_version(&mut self, origin: &Origin, api: ApiKey) {
        if api != ApiKey::API_VERSIONS {
            return self.reject(origin.connection, Refusal::UnsupportedVersion(api, origin.version));
        }
        let own = self
            .apis
            .iter()
            .find(|(key, ..)| *key == api.0)
            .filter(|_| self.config.release.at_least([2, 4, 0]));
        let response = ApiVersionsResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            api_keys: own.map(|range| api_version(*range)).into_iter().collect(),
            ..ApiVersionsResponse::default()
        };
        self.links.answer_as_version(origin.connection, 0);
        self.respond(origin.now, origin.connection, &response);
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
