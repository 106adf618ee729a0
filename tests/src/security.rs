//! Secured listeners of both kinds of cluster, and the clients for them.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use klamm_engine::{Mechanism, Sasl, Tls};
use klamm_sim::EmbeddedCluster;
use klamm_sim::cluster::{Acl, Authorizer, Operation, Resource, SaslUsers};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};

use crate::Outcome;
use crate::cluster::Kind;
use crate::real::{RealKafka, RealKafkaOptions};

/// What a listener demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Nothing.
    Plaintext,
    /// TLS.
    Ssl,
    /// TLS, with a certificate of the client.
    Mtls,
    /// SASL.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

/// Every door.
const DOORS: [Door; 5] = [Door::Plaintext, Door::Ssl, Door::Mtls, Door::SaslPlaintext, Door::SaslSsl];

/// The user of these scenarios, and its password.
pub const USER: (&str, &str) = ("admin", "admin-secret");

/// A user who may only use topics, groups and transactional ids whose names begin with [`LIMITED_PREFIX`].
pub const LIMITED: (&str, &str) = ("alice", "alice-secret");

/// How the names begin that [`LIMITED`] may use.
pub const LIMITED_PREFIX: &str = "limited-";

/// What a client shows.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// TLS, if any.
    pub tls: Option<Tls>,
    /// SASL, if any.
    pub sasl: Option<Sasl>,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new(name: &str) -> Outcome<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate that holds until the middle of a year.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn issue(&self, name: &str, hosts: &[&str], until: i32) -> Outcome<Identity> {
        self.issue_for(name, hosts, (2001, until), None)
    }

    /// Issues a certificate that holds from the beginning of one year to the middle of another, and may serve for one
    /// purpose or for any.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn issue_for(
        &self,
        name: &str,
        hosts: &[&str],
        (from, until): (i32, i32),
        purpose: Option<ExtendedKeyUsagePurpose>,
    ) -> Outcome<Identity> {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 6, 30);
        params.extended_key_usages.extend(purpose);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

/// A cluster with every door, shared by the scenarios of this process.
#[derive(Debug)]
pub struct Secured {
    doors: Doors,
    /// The authority that issued the brokers' certificates, in PEM.
    pub ca: String,
    /// A certificate that the brokers accept.
    pub identity: Identity,
    /// A token that the brokers accept.
    pub token: String,
    /// The authority of nobody here.
    pub rogue: Authority,
}

#[derive(Debug)]
enum Doors {
    Embedded(Vec<EmbeddedCluster>),
    Real(RealKafka),
}

impl Secured {
    /// The cluster of this kind.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn of(kind: Kind) -> Outcome<Arc<Self>> {
        static SHARED: OnceLock<[Mutex<Option<Arc<Secured>>>; 2]> = OnceLock::new();
        let slots = SHARED.get_or_init(Default::default);
        let slot = &slots[usize::from(kind == Kind::Real)];
        let mut slot = slot.lock().map_err(|error| error.to_string())?;
        if let Some(secured) = &*slot {
            return Ok(Arc::clone(secured));
        }
        let secured = Arc::new(match kind {
            Kind::Embedded => Self::embedded()?,
            Kind::Real => Self::real()?,
        });
        *slot = Some(Arc::clone(&secured));
        Ok(secured)
    }

    fn embedded() -> Outcome<Self> {
        let authority = Authority::new("the root")?;
        let broker = authority.issue("broker", &["localhost", "127.0.0.1"], 2096)?;
        let mut users = SaslUsers::default();
        users.passwords.insert(USER.0.into(), USER.1.into());
        users.passwords.insert(LIMITED.0.into(), LIMITED.1.into());
        users.max_reauth = Some(Duration::from_secs(4));
        let mut authorizer = Authorizer::default();
        authorizer.super_users.insert(USER.0.into());
        authorizer.acls = [Resource::Topic, Resource::Group, Resource::TransactionalId]
            .map(|resource| limited(resource, LIMITED_PREFIX, Operation::All))
            .into();
        let clusters = DOORS.map(|door| {
            let mut builder = EmbeddedCluster::builder();
            if matches!(door, Door::Ssl | Door::Mtls | Door::SaslSsl) {
                builder = builder.tls(&broker.certificate, &broker.key);
            }
            if door == Door::Mtls {
                builder = builder.client_ca(authority.pem());
            }
            if matches!(door, Door::SaslPlaintext | Door::SaslSsl) {
                builder = builder.sasl(users.clone()).authorizer(authorizer.clone());
            }
            builder.start()
        });
        Ok(Self {
            doors: Doors::Embedded(clusters.into_iter().collect::<Result<_, _>>()?),
            ca: authority.pem(),
            identity: authority.issue(USER.0, &[], 2096)?,
            token: unsecured_token(i64::MAX / 2_000),
            rogue: Authority::new("a rogue")?,
        })
    }

    fn real() -> Outcome<Self> {
        let kafka = RealKafka::start(
            "secured",
            RealKafkaOptions {
                security: "all".into(),
                settings: vec!["connections.max.reauth.ms=4000".into()],
                ..RealKafkaOptions::default()
            },
        )?;
        let read = |name: &str| std::fs::read_to_string(kafka.variable(name));
        let identity = Identity { certificate: read("KAFKA_TLS_CERT")?, key: read("KAFKA_TLS_KEY")? };
        let (ca, token) = (read("KAFKA_TLS_CA")?, kafka.variable("KAFKA_OAUTH_TOKEN").to_owned());
        Ok(Self { doors: Doors::Real(kafka), ca, identity, token, rogue: Authority::new("a rogue")? })
    }

    /// Brokers of another version, of which only the door with SASL and without TLS is of use. Nobody shares them.
    ///
    /// # Errors
    /// When they cannot be started.
    pub fn of_version(kind: Kind, version: &str) -> Outcome<(Vec<String>, Box<dyn Send>)> {
        match kind {
            Kind::Embedded => {
                let mut users = SaslUsers::default();
                users.passwords.insert(USER.0.into(), USER.1.into());
                let cluster = EmbeddedCluster::builder().kafka_version(version).sasl(users).start()?;
                let addresses = cluster.addresses().iter().map(ToString::to_string).collect();
                Ok((addresses, Box::new(cluster)))
            }
            Kind::Real => {
                let name = format!("secured-{version}");
                let (version, security) = (version.into(), "all".into());
                let options = RealKafkaOptions { version, security, ..RealKafkaOptions::default() };
                let kafka = RealKafka::start(&name, options)?;
                let addresses =
                    kafka.variable("KAFKA_BOOTSTRAP_SASL_PLAINTEXT").split(',').map(str::to_owned);
                Ok((addresses.collect(), Box::new(kafka)))
            }
        }
    }

    /// The real cluster, if it is one.
    #[must_use]
    pub const fn kafka(&self) -> Option<&RealKafka> {
        match &self.doors {
            Doors::Embedded(_) => None,
            Doors::Real(kafka) => Some(kafka),
        }
    }

    /// Gives the limited user a right to a topic; both doors with SASL lead to it.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn allow_limited(&self, topic: &str, operation: Operation) -> Outcome<()> {
        match &self.doors {
            Doors::Embedded(clusters) => {
                for cluster in clusters {
                    let acl = limited(Resource::Topic, topic, operation);
                    cluster.with(move |cluster, _| cluster.allow(acl))?;
                }
            }
            Doors::Real(kafka) => {
                let (user, operation) = (format!("User:{}", LIMITED.0), format!("{operation:?}"));
                let right = ["--allow-principal", &user, "--operation", &operation, "--topic", topic];
                kafka.tool("acls", &[&["--add", "--force"], &right[..]].concat(), &[])?;
            }
        }
        Ok(())
    }

    /// The addresses of a door.
    #[must_use]
    pub fn bootstrap(&self, door: Door) -> Vec<String> {
        match &self.doors {
            Doors::Embedded(clusters) => {
                let at = DOORS.iter().position(|other| *other == door).unwrap_or(0);
                clusters[at].addresses().iter().map(ToString::to_string).collect()
            }
            Doors::Real(kafka) => {
                let name = match door {
                    Door::Plaintext => "KAFKA_BOOTSTRAP_PLAINTEXT",
                    Door::Ssl => "KAFKA_BOOTSTRAP_SSL",
                    Door::Mtls => "KAFKA_BOOTSTRAP_MTLS",
                    Door::SaslPlaintext => "KAFKA_BOOTSTRAP_SASL_PLAINTEXT",
                    Door::SaslSsl => "KAFKA_BOOTSTRAP_SASL_SSL",
                };
                kafka.variable(name).split(',').map(str::to_owned).collect()
            }
        }
    }

    /// TLS that trusts the brokers.
    pub fn tls(&self) -> Tls {
        Tls::new().ca_pem(&self.ca)
    }

    /// SASL as the user that there is.
    #[must_use]
    pub fn sasl(&self, mechanism: Mechanism) -> Sasl {
        match mechanism {
            Mechanism::Plain => Sasl::plain(USER.0, USER.1),
            Mechanism::ScramSha256 => Sasl::scram_sha_256(USER.0, USER.1),
            Mechanism::ScramSha512 => Sasl::scram_sha_512(USER.0, USER.1),
            _ => Sasl::oauth_bearer(self.token.as_str()),
        }
    }
}

fn limited(resource: Resource, prefix: &str, operation: Operation) -> Acl {
    Acl { user: LIMITED.0.into(), resource, prefix: prefix.into(), operation }
}

/// A JSON web token without a signature, of the user that there is; until so many seconds since 1970.
#[must_use]
pub fn unsecured_token(until: i64) -> String {
    use base64::Engine as _;
    let encode = |text: String| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text);
    let header = encode(String::from(r#"{"alg":"none"}"#));
    let payload = encode(format!(r#"{{"sub":"{}","iat":1700000000,"exp":{until}}}"#, USER.0));
    format!("{header}.{payload}.")
}
