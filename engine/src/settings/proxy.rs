//! The proxy out of settings that belong together. Neither Java's client nor librdkafka has any.

use super::{InvalidSetting, Settings};
use crate::Proxy;

impl Settings {
    /// The proxy, if there is to be one.
    pub(super) fn proxy(&self) -> Option<Proxy> {
        let proxy = Proxy::socks5(self.text("proxy.url")?);
        Some(match (self.text("proxy.username"), self.secret("proxy.password")) {
            (Some(name), Some(password)) => proxy.user(name, password.clone()),
            _ => proxy,
        })
    }

    pub(super) fn check_proxy(&self) -> Result<(), InvalidSetting> {
        let given = |name| self.values.contains_key(name);
        for (name, other) in [
            ("proxy.username", "proxy.url"),
            ("proxy.username", "proxy.password"),
            ("proxy.password", "proxy.username"),
        ] {
            if given(name) && !given(other) {
                return Err(InvalidSetting::new(name, format!("{name} is of no use without {other}")));
            }
        }
        match self.proxy().map(Proxy::into_route) {
            Some(Err(why)) => Err(InvalidSetting::new("proxy.url", format!("proxy.url: {why}"))),
            _ => Ok(()),
        }
    }
}
