//! Providers out of settings.

use klamm_engine::{CredentialProvider, InvalidSetting, Settings};

/// Makes what the settings want and the engine does not have: tokens of an endpoint
/// (`sasl.oauthbearer.token.endpoint.url`) or for AWS (`sasl.mechanism=AWS_MSK_IAM`), or messages of Kerberos
/// (`sasl.mechanism=GSSAPI`). Does nothing with settings that want none of these.
///
/// # Errors
///
/// A setting that is missing or makes no sense, or the feature for it is not there.
pub fn provide(settings: &mut Settings) -> Result<(), InvalidSetting> {
    let sasl = match settings.credential_provider() {
        None => return Ok(()),
        #[cfg(feature = "oidc")]
        Some(CredentialProvider::Oidc) => crate::oidc::from_settings(settings)?.serve(),
        #[cfg(feature = "aws-msk-iam")]
        Some(CredentialProvider::AwsMskIam) => crate::aws::from_settings(settings)?.serve(),
        #[cfg(feature = "gssapi")]
        Some(CredentialProvider::Kerberos) => crate::gssapi::from_settings(settings)?.serve(),
        Some(other) => {
            let problem = format!("sasl.mechanism: this program was built without the feature for {other:?}");
            return Err(InvalidSetting::new("sasl.mechanism", problem));
        }
    };
    let sasl = sasl.map_err(|error| {
        InvalidSetting::new("sasl.mechanism", format!("there is no thread to get credentials on: {error}"))
    })?;
    settings.provide_sasl(sasl);
    Ok(())
}
