//! Who leads a partition, and who follows in sync: what the controller decides and brokers hear of.

/// The leader of a partition that has none.
pub(crate) const NO_LEADER: i32 = -1;

/// The leadership of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leadership {
    /// A broker, or [`NO_LEADER`].
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    /// In the order of preference.
    pub(crate) replicas: Vec<i32>,
    /// The replicas in sync; never empty.
    pub(crate) isr: Vec<i32>,
    /// Whether the leader was not in sync when it was elected.
    pub(crate) is_unclean: bool,
    /// Raised by each change; -1 for a broker that has not heard of the partition.
    pub(crate) version: i64,
}

impl Leadership {
    pub(crate) fn new(replicas: Vec<i32>, is_alive: impl Fn(i32) -> bool) -> Self {
        let mut isr: Vec<i32> = replicas.iter().copied().filter(|replica| is_alive(*replica)).collect();
        let leader = isr.first().copied().unwrap_or(NO_LEADER);
        if isr.is_empty() {
            isr.extend(replicas.first());
        }
        Self { leader, leader_epoch: 0, replicas, isr, is_unclean: false, version: 0 }
    }

    /// What a broker knows that has not heard of the partition.
    pub(crate) const fn unheard() -> Self {
        Self {
            leader: NO_LEADER,
            leader_epoch: -1,
            replicas: Vec::new(),
            isr: Vec::new(),
            is_unclean: false,
            version: -1,
        }
    }

    pub(crate) const fn is_heard(&self) -> bool {
        self.version >= 0
    }

    /// A broker went away. If it led, another one that is eligible does. Returns whether anything changed.
    pub(crate) fn leave(
        &mut self,
        broker: i32,
        may_be_unclean: bool,
        is_eligible: impl Fn(i32) -> bool,
    ) -> bool {
        let was_in_sync = self.isr.contains(&broker) && self.isr.len() > 1;
        if was_in_sync {
            self.isr.retain(|replica| *replica != broker);
            self.version += 1;
        }
        if self.leader == broker {
            self.elect(may_be_unclean, |replica| replica != broker && is_eligible(replica));
            return true;
        }
        was_in_sync
    }

    /// A broker that holds a replica came back: it leads if the partition has no leader and it may. Returns whether
    /// it does.
    pub(crate) fn join(&mut self, may_be_unclean: bool, is_eligible: impl Fn(i32) -> bool) -> bool {
        let finds_one =
            |replica: &i32| (may_be_unclean || self.isr.contains(replica)) && is_eligible(*replica);
        if self.leader != NO_LEADER || !self.replicas.iter().any(finds_one) {
            return false;
        }
        self.elect(may_be_unclean, is_eligible);
        true
    }

    /// Elects the first eligible replica in sync, or if it may be unclean and there is none any eligible one.
    fn elect(&mut self, may_be_unclean: bool, is_eligible: impl Fn(i32) -> bool) {
        let eligible = || self.replicas.iter().copied().filter(|replica| is_eligible(*replica));
        let clean = eligible().find(|replica| self.isr.contains(replica));
        match clean.or_else(|| eligible().next().filter(|_| may_be_unclean)) {
            Some(leader) => self.lead(leader),
            None => {
                self.leader = NO_LEADER;
                self.leader_epoch += 1;
                self.version += 1;
            }
        }
    }

    /// Makes a replica the leader. If it is not in sync, it is the only one in sync from now on.
    pub(crate) fn lead(&mut self, broker: i32) {
        self.is_unclean = !self.isr.contains(&broker);
        if self.is_unclean {
            self.isr = vec![broker];
        }
        self.leader = broker;
        self.leader_epoch += 1;
        self.version += 1;
    }

    /// The leader says that a replica is in sync.
    pub(crate) fn expand(&mut self, broker: i32) {
        if !self.isr.contains(&broker) {
            self.isr.push(broker);
            self.version += 1;
        }
    }

    /// The leader says that a replica is not in sync.
    pub(crate) fn shrink(&mut self, broker: i32) {
        if broker != self.leader && self.isr.contains(&broker) {
            self.isr.retain(|replica| *replica != broker);
            self.version += 1;
        }
    }
}
