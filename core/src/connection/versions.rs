//! What a broker offers: its answer to ApiVersions (KIP-35, KIP-511, KIP-584).

use alloc::{collections::BTreeMap, vec::Vec};

use klamm_protocol::{ApiKey, Str, messages::api_versions::ApiVersionsResponse};

/// The APIs, versions and features that one broker offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersions {
    /// Sorted by API key.
    ranges: Vec<(ApiKey, i16, i16)>,
    /// Finalized maximum level by feature name.
    features: BTreeMap<Str, i16>,
    /// -1 if unknown.
    features_epoch: i64,
}

impl ApiVersions {
    /// A broker that offers `ranges` (API, lowest version, highest version) and no features.
    #[must_use]
    pub fn new(ranges: impl IntoIterator<Item = (ApiKey, i16, i16)>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_by_key(|(key, _, _)| *key);
        ranges.dedup_by_key(|(key, _, _)| *key);
        Self { ranges, features: BTreeMap::new(), features_epoch: -1 }
    }

    /// What a broker said.
    #[must_use]
    pub fn from_response(response: &ApiVersionsResponse) -> Self {
        let ranges =
            response.api_keys.iter().map(|api| (ApiKey(api.api_key), api.min_version, api.max_version));
        let features = response
            .finalized_features
            .iter()
            .map(|feature| (feature.name.clone(), feature.max_version_level))
            .collect();
        Self { features, features_epoch: response.finalized_features_epoch, ..Self::new(ranges) }
    }

    /// The lowest and highest version of `api` that the broker offers.
    #[must_use]
    pub fn range(&self, api: ApiKey) -> Option<(i16, i16)> {
        let at = self.ranges.binary_search_by_key(&api, |(key, _, _)| *key).ok()?;
        self.ranges.get(at).map(|(_, min, max)| (*min, *max))
    }

    /// The highest version of `api` that both the broker and this client know.
    #[must_use]
    pub fn version(&self, api: ApiKey) -> Option<i16> {
        self.version_up_to(api, i16::MAX)
    }

    /// As [`version`](Self::version), but at most `cap`.
    #[must_use]
    pub fn version_up_to(&self, api: ApiKey, cap: i16) -> Option<i16> {
        let (min, max) = self.range(api)?;
        let (known_min, known_max) = (api.min_version()?, api.max_stable_version()?);
        let max = if planted!(VersionOutOfRange) { known_max } else { max };
        let version = max.min(known_max).min(cap);
        (version >= min.max(known_min)).then_some(version)
    }

    /// The finalized level of a cluster feature, for instance `transaction.version` (KIP-584).
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<i16> {
        self.features.get(name).copied()
    }

    /// The epoch of the finalized features: of two brokers' answers the one with the higher epoch holds. -1 if
    /// the broker does not say.
    #[must_use]
    pub const fn features_epoch(&self) -> i64 {
        self.features_epoch
    }

    /// All that the broker offers, sorted by API key.
    pub fn iter(&self) -> impl Iterator<Item = (ApiKey, i16, i16)> + '_ {
        self.ranges.iter().copied()
    }
}
