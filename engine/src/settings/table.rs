//! All settings, in one table: it is what texts are parsed by, and what the documentation shows.

/// What a setting is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// [`KafkaBuilder`](crate::KafkaBuilder).
    Client,
    /// `Tls` and [`Sasl`](crate::Sasl).
    Security,
    /// [`ProducerBuilder`](crate::ProducerBuilder).
    Producer,
    /// [`ConsumerBuilder`](crate::ConsumerBuilder) and [`GroupConsumerBuilder`](crate::GroupConsumerBuilder).
    Consumer,
    /// [`GroupConsumerBuilder`](crate::GroupConsumerBuilder).
    Group,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Any text.
    Text,
    /// Any text, which is never shown.
    Secret,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number {
        /// The lowest.
        min: i64,
        /// The highest.
        max: i64,
    },
    /// One of these, in any case.
    Choice(&'static [&'static str]),
}

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name in the Java client, or librdkafka's if Java has none.
    pub name: &'static str,
    /// Other names that mean the same: librdkafka's.
    pub also: &'static [&'static str],
    /// What it is of.
    pub scope: Scope,
    /// What it takes.
    pub kind: Kind,
    /// The default; empty if there is none.
    pub default: &'static str,
    /// The method of the builder; empty if there is none of its own.
    pub method: &'static str,
}

const MILLIS: Kind = Kind::Number { min: 0, max: i32::MAX as i64 };
const BYTES: Kind = Kind::Number { min: 0, max: i32::MAX as i64 };
const COUNT: Kind = Kind::Number { min: 1, max: i32::MAX as i64 };

/// How Java calls the ways to get a token: its own choice, the two grants, and a file.
const RETRIEVERS: &[&str] = &[
    "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
    "org.apache.kafka.common.security.oauthbearer.ClientCredentialsJwtRetriever",
    "org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever",
    "org.apache.kafka.common.security.oauthbearer.FileJwtRetriever",
];

macro_rules! table {
    ($($scope:ident { $($name:literal $(| $also:literal)* : $kind:expr, $default:literal => $method:literal;)* })*) => {
        impl Setting {
            /// All settings.
            pub const ALL: &'static [Self] = &[$($(Self {
                name: $name,
                also: &[$($also),*],
                scope: Scope::$scope,
                kind: $kind,
                default: $default,
                method: $method,
            },)*)*];
        }
    };
}

table! {
    Client {
        "bootstrap.servers" | "metadata.broker.list": Kind::Text, "" => "";
        "client.id": Kind::Text, "klamm" => "client_id";
        "socket.connection.setup.timeout.ms": MILLIS, "10000" => "connection_setup_timeout";
        "connections.max.idle.ms": MILLIS, "540000" => "connections_max_idle";
        "request.timeout.ms" | "socket.timeout.ms": MILLIS, "30000" => "request_timeout";
        "metadata.max.age.ms" | "topic.metadata.refresh.interval.ms": MILLIS, "300000" => "metadata_max_age";
        "reconnect.backoff.ms": COUNT, "50" => "reconnect_backoff";
        "reconnect.backoff.max.ms": COUNT, "1000" => "reconnect_backoff";
        "allow.auto.create.topics": Kind::Flag, "true" => "allow_auto_topic_creation";
        "max.block.ms": MILLIS, "60000" => "max_block";
        "proxy.url": Kind::Text, "" => "proxy";
        "proxy.username": Kind::Text, "" => "proxy";
        "proxy.password": Kind::Secret, "" => "proxy";
    }
    Security {
        "security.protocol": Kind::Choice(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), "PLAINTEXT" => "";
        "sasl.mechanism" | "sasl.mechanisms":
            Kind::Choice(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM", "GSSAPI"]), "" => "sasl";
        "sasl.jaas.config": Kind::Secret, "" => "sasl";
        "sasl.username": Kind::Text, "" => "sasl";
        "sasl.password": Kind::Secret, "" => "sasl";
        "sasl.oauthbearer.token": Kind::Secret, "" => "sasl";
        "sasl.oauthbearer.token.endpoint.url": Kind::Text, "" => "";
        "sasl.oauthbearer.method": Kind::Choice(&["default", "oidc"]), "default" => "";
        "sasl.oauthbearer.grant.type":
            Kind::Choice(&["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"]),
            "client_credentials" => "";
        "sasl.oauthbearer.jwt.retriever.class": Kind::Choice(RETRIEVERS), "" => "";
        "sasl.oauthbearer.client.credentials.client.id" | "sasl.oauthbearer.client.id": Kind::Text, "" => "";
        "sasl.oauthbearer.client.credentials.client.secret" | "sasl.oauthbearer.client.secret":
            Kind::Secret, "" => "";
        "sasl.oauthbearer.scope": Kind::Text, "" => "";
        "sasl.oauthbearer.extensions": Kind::Text, "" => "";
        "sasl.oauthbearer.header.urlencode": Kind::Flag, "false" => "";
        "sasl.oauthbearer.assertion.algorithm": Kind::Choice(&["RS256", "ES256"]), "RS256" => "";
        "sasl.oauthbearer.assertion.file": Kind::Text, "" => "";
        "sasl.oauthbearer.assertion.private.key.file": Kind::Text, "" => "";
        "sasl.oauthbearer.assertion.private.key.pem": Kind::Secret, "" => "";
        "sasl.oauthbearer.assertion.private.key.passphrase": Kind::Secret, "" => "";
        "sasl.oauthbearer.assertion.template.file" | "sasl.oauthbearer.assertion.jwt.template.file":
            Kind::Text, "" => "";
        "sasl.oauthbearer.assertion.claim.aud" | "sasl.oauthbearer.assertion.claim.audience":
            Kind::Text, "" => "";
        "sasl.oauthbearer.assertion.claim.iss" | "sasl.oauthbearer.assertion.claim.issuer":
            Kind::Text, "" => "";
        "sasl.oauthbearer.assertion.claim.sub" | "sasl.oauthbearer.assertion.claim.subject":
            Kind::Text, "" => "";
        "sasl.oauthbearer.assertion.claim.exp.seconds": COUNT, "300" => "";
        "sasl.oauthbearer.assertion.claim.nbf.seconds": MILLIS, "60" => "";
        "sasl.oauthbearer.assertion.claim.jti.include": Kind::Flag, "false" => "";
        "sasl.kerberos.service.name": Kind::Text, "kafka" => "";
        "sasl.kerberos.principal": Kind::Text, "" => "";
        "sasl.kerberos.keytab": Kind::Text, "" => "";
        "sasl.login.connect.timeout.ms": COUNT, "5000" => "";
        "sasl.login.read.timeout.ms": COUNT, "8000" => "";
        "sasl.login.retry.backoff.ms": COUNT, "100" => "";
        "sasl.login.retry.backoff.max.ms": COUNT, "10000" => "";
        "https.ca.location": Kind::Text, "" => "";
        "ssl.truststore.location": Kind::Text, "" => "tls";
        "ssl.truststore.password": Kind::Secret, "" => "tls";
        "ssl.truststore.type": Kind::Choice(&["PKCS12", "PEM"]), "" => "tls";
        "ssl.truststore.certificates" | "ssl.ca.pem": Kind::Text, "" => "tls";
        "ssl.ca.location": Kind::Text, "" => "tls";
        "ssl.keystore.location": Kind::Text, "" => "tls";
        "ssl.keystore.password": Kind::Secret, "" => "tls";
        "ssl.keystore.type": Kind::Choice(&["PKCS12", "PEM"]), "" => "tls";
        "ssl.keystore.certificate.chain" | "ssl.certificate.pem": Kind::Text, "" => "tls";
        "ssl.keystore.key" | "ssl.key.pem": Kind::Secret, "" => "tls";
        "ssl.certificate.location": Kind::Text, "" => "tls";
        "ssl.key.location": Kind::Text, "" => "tls";
        "ssl.key.password": Kind::Secret, "" => "tls";
        "ssl.endpoint.identification.algorithm": Kind::Choice(&["https", "none", ""]), "https" => "tls";
    }
    Producer {
        "acks" | "request.required.acks": Kind::Choice(&["all", "-1", "0", "1"]), "all" => "acks";
        "enable.idempotence": Kind::Flag, "true" => "idempotent";
        "linger.ms" | "queue.buffering.max.ms": MILLIS, "5" => "linger";
        "batch.size": BYTES, "16384" => "batch_size";
        "compression.type" | "compression.codec":
            Kind::Choice(&["none", "gzip", "snappy", "lz4", "zstd"]), "none" => "compression";
        "max.request.size" | "message.max.bytes": COUNT, "1048576" => "max_request_size";
        "max.in.flight.requests.per.connection" | "max.in.flight": COUNT, "5" => "max_in_flight";
        "buffer.memory": COUNT, "33554432" => "buffer_memory";
        "delivery.timeout.ms" | "message.timeout.ms": COUNT, "120000" => "delivery_timeout";
    }
    Consumer {
        "auto.offset.reset": Kind::Choice(&["earliest", "latest", "none"]), "latest" => "offset_reset";
        "isolation.level": Kind::Choice(&["read_uncommitted", "read_committed"]), "read_uncommitted" => "isolation";
        "client.rack": Kind::Text, "" => "client_rack";
        "fetch.min.bytes": BYTES, "1" => "fetch_min_bytes";
        "fetch.max.wait.ms" | "fetch.wait.max.ms": MILLIS, "500" => "fetch_max_wait_ms";
        "fetch.max.bytes": BYTES, "52428800" => "fetch_max_bytes";
        "max.partition.fetch.bytes" | "fetch.message.max.bytes": BYTES, "1048576" => "max_partition_fetch_bytes";
        "check.crcs": Kind::Flag, "true" => "check_crcs";
        "max.poll.records": COUNT, "500" => "max_poll_records";
    }
    Group {
        "group.id": Kind::Text, "" => "";
        "group.instance.id": Kind::Text, "" => "instance_id";
        "group.protocol": Kind::Choice(&["classic", "consumer"]), "classic" => "protocol";
        "session.timeout.ms": COUNT, "45000" => "session_timeout";
        "heartbeat.interval.ms": COUNT, "3000" => "heartbeat_interval";
        "max.poll.interval.ms": COUNT, "300000" => "max_poll_interval";
        "enable.auto.commit": Kind::Flag, "true" => "auto_commit";
        "auto.commit.interval.ms": COUNT, "5000" => "auto_commit";
        "exclude.internal.topics": Kind::Flag, "true" => "exclude_internal_topics";
    }
}

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    Setting::ALL.iter().find(|setting| setting.name == name || setting.also.contains(&name))
}

impl Setting {
    /// All settings as a table in Markdown.
    #[must_use]
    pub fn markdown() -> String {
        let mut text =
            String::from("| setting | also | of | takes | default | method |\n|---|---|---|---|---|---|\n");
        for setting in Self::ALL {
            let takes = match setting.kind {
                Kind::Text => String::from("text"),
                Kind::Secret => String::from("a secret"),
                Kind::Flag => String::from("true, false"),
                Kind::Number { min, .. } => format!("a number from {min} on"),
                Kind::Choice(choices) => {
                    choices.iter().filter(|choice| !choice.is_empty()).copied().collect::<Vec<_>>().join(", ")
                }
            };
            let also = setting.also.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let method =
                if setting.method.is_empty() { String::new() } else { format!("`{}`", setting.method) };
            let (name, default) = (setting.name, setting.default);
            let scope = format!("{:?}", setting.scope).to_lowercase();
            text.push_str(&format!("| `{name}` | {also} | {scope} | {takes} | {default} | {method} |\n"));
        }
        text
    }
}
