//! Who may do what: an authorizer like Kafka's, as far as clients notice it.

mod rights;

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::{Str, Uuid};

use super::links::ConnectionId;
use super::sasl::Session;
use super::topics::Topic;
use super::{Cluster, Origin};

/// What a right is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Topics.
    Topic,
    /// Groups of consumers.
    Group,
    /// Transactional ids.
    TransactionalId,
}

/// What a right allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// All of it.
    All,
    /// Reading; being a member of a group and committing for it.
    Read,
    /// Writing; transactions under an id.
    Write,
    /// Creating.
    Create,
    /// Deleting, also of records.
    Delete,
    /// Changing.
    Alter,
    /// Knowing of it. Who may read, write, delete or alter may do this too.
    Describe,
}

impl Operation {
    fn allows(self, wanted: Self) -> bool {
        let implies = matches!(self, Self::Read | Self::Write | Self::Delete | Self::Alter);
        self == Self::All || self == wanted || wanted == Self::Describe && implies
    }
}

/// A right of a user, to everything of a kind whose name begins so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// The user.
    pub user: String,
    /// What it is about.
    pub resource: Resource,
    /// How the names begin.
    pub prefix: String,
    /// What is allowed.
    pub operation: Operation,
}

/// An authorizer: what it does not allow is denied, but to super users and to connections that need not authenticate
/// themselves.
///
/// Topics, groups and transactional ids are guarded as by Kafka. What is about the cluster as a whole, about configurations
/// or log directories is allowed to everybody.
#[derive(Clone, Debug, Default)]
pub struct Authorizer {
    /// `super.users`.
    pub super_users: BTreeSet<String>,
    /// Who may do what.
    pub acls: Vec<Acl>,
}

/// What a connection may do; `None` of it is everything.
type Allowed<'a> = Option<Vec<&'a Acl>>;

/// The topics for which a right is lacking.
#[derive(Clone, Debug)]
pub(crate) struct Denied {
    allowed: Vec<String>,
    names: BTreeMap<Uuid, Str>,
}

impl Denied {
    /// Whether a topic, by name or by id, is among them. An id of no topic is not: that it does not exist is no secret.
    pub(crate) fn has(&self, name: &str, id: Uuid) -> bool {
        let name = if id.is_zero() { Some(name) } else { self.names.get(&id).map(Str::as_str) };
        name.is_some_and(|name| !self.allowed.iter().any(|prefix| name.starts_with(prefix.as_str())))
    }
}

impl Cluster {
    /// Gives a right from now on. Without an [`Authorizer`] everybody has all of them.
    pub fn allow(&mut self, acl: Acl) {
        if let Some(authorizer) = &mut self.config.authorizer {
            authorizer.acls.push(acl);
        }
    }

    /// Takes a right that was given just so.
    pub fn forbid(&mut self, acl: &Acl) {
        if let Some(authorizer) = &mut self.config.authorizer {
            authorizer.acls.retain(|known| known != acl);
        }
    }

    fn allowed(&self, connection: ConnectionId) -> Allowed<'_> {
        let authorizer = self.config.authorizer.as_ref()?;
        let user = self.links.session_of(connection).and_then(Session::user)?;
        let of_user = |acl: &&Acl| acl.user == user;
        (!authorizer.super_users.contains(user)).then(|| authorizer.acls.iter().filter(of_user).collect())
    }

    /// Whether the client of a request may do this.
    pub(in crate::cluster) fn may(
        &self,
        origin: &Origin,
        resource: Resource,
        name: &str,
        operation: Operation,
    ) -> bool {
        self.allowed(origin.connection).is_none_or(|acls| {
            acls.iter().any(|acl| {
                acl.resource == resource && acl.operation.allows(operation) && name.starts_with(&acl.prefix)
            })
        })
    }

    /// Whether the client of a request may write to any topic at all.
    fn may_write_somewhere(&self, origin: &Origin) -> bool {
        self.allowed(origin.connection).is_none_or(|acls| {
            let writes =
                |acl: &&&Acl| acl.resource == Resource::Topic && acl.operation.allows(Operation::Write);
            acls.iter().any(|acl| writes(&acl))
        })
    }

    /// The topics to which the client of a request may not do this; `None` if there are none.
    fn denied(&self, origin: &Origin, operation: Operation) -> Option<Denied> {
        let acls = self.allowed(origin.connection)?;
        let fits = |acl: &&&Acl| acl.resource == Resource::Topic && acl.operation.allows(operation);
        Some(Denied {
            allowed: acls.iter().filter(fits).map(|acl| acl.prefix.clone()).collect(),
            names: self.topics.iter().map(|topic: &Topic| (topic.id(), topic.name().clone())).collect(),
        })
    }
}
