//! The loop: the next node takes its turn.

use std::task::Context;

use klamm_core::Instant;
use klamm_engine::ControlTask;

use super::{
    World, current,
    net::Way,
    state::{Actor, Body, State, TIMERS},
    trace::TraceKind,
};

/// What became of an attempt to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A node had its turn.
    Ran,
    /// The turn is that of the future of `block_on`.
    Root,
    /// Nothing is left to do before the given instant.
    Later,
    /// Nothing is left to do ever.
    Idle,
    /// Turns are taken without end, and no time passes.
    Spinning,
}

/// How many turns may be taken at one instant: more than any number of nodes has something to do for each other.
const MOST_TURNS: u64 = 1_000_000;

/// What is to be done without the state at hand.
enum Outside {
    Nothing,
    Poll(u32, Actor),
    Root,
}

impl World {
    /// Lets the next node have its turn, if that is not later than `until`.
    pub(super) fn step(&self, until: Instant) -> Step {
        let outside = {
            let mut state = self.state();
            state.schedule_woken();
            let Some(at) = state.nodes.queue.next_at() else { return Step::Idle };
            if at > until {
                return Step::Later;
            }
            if !state.may_turn(at) {
                return Step::Spinning;
            }
            let Some(node) = state.next_node() else { return Step::Idle };
            state.time.set(at);
            state.run(node)
        };
        match outside {
            Outside::Nothing => Step::Ran,
            Outside::Root => Step::Root,
            Outside::Poll(node, actor) => {
                self.poll_actor(node, actor);
                Step::Ran
            }
        }
    }

    fn poll_actor(&self, node: u32, mut actor: Actor) {
        let (waker, client, generation) = {
            let mut state = self.state();
            (state.nodes.waker(node), state.nodes.get(node).client, state.nodes.generation(node))
        };
        let poll = current::with(self, client, || actor.as_mut().poll(&mut Context::from_waker(&waker)));
        let mut state = self.state();
        // The actor may have been aborted or killed, by itself.
        let is_there = state.nodes.generation(node) == generation;
        if poll.is_pending() && is_there {
            state.nodes.get(node).body = Body::Actor(Some(actor));
            return;
        }
        if is_there {
            drop(state.nodes.remove(node));
        }
        drop(state);
        current::with(self, client, || drop(actor));
    }
}

impl State {
    /// Counts turns that are taken at one instant.
    fn may_turn(&mut self, at: Instant) -> bool {
        if at > self.now() {
            self.turns_now = 0;
        }
        self.turns_now += 1;
        self.turns_now <= MOST_TURNS
    }

    /// Takes the next node out of the queue: where there is a choice, as the schedule has it.
    fn next_node(&mut self) -> Option<u32> {
        if self.chooser.is_seeded() {
            return self.nodes.queue.pop();
        }
        let mut first = self.nodes.queue.first_ones();
        let choice = if first.len() > 1 { self.chooser.choose(first.len()) } else { 0 };
        let node = (choice < first.len()).then(|| first.swap_remove(choice))?;
        self.nodes.queue.clear(node);
        Some(node)
    }

    fn run(&mut self, node: u32) -> Outside {
        let now = self.now();
        if let Some(until) = self.paused(node) {
            self.nodes.postpone(node, until);
            return Outside::Nothing;
        }
        self.trace.count();
        self.nodes.begin(node, now);
        match &mut self.nodes.get(node).body {
            Body::Free => {}
            Body::Actor(actor) => {
                let Some(actor) = actor.take() else { return Outside::Nothing };
                let entity = self.nodes.get(node).entity;
                self.record(TraceKind::Actor, entity, 0, 0);
                return Outside::Poll(node, actor);
            }
            Body::Root => {
                let entity = self.nodes.get(node).entity;
                self.record(TraceKind::Actor, entity, 0, 0);
                return Outside::Root;
            }
            Body::Control(task) => {
                if let Some(task) = task.take() {
                    self.run_control(node, task);
                }
            }
            Body::Connection(driven) => {
                if let Some(driven) = driven.take() {
                    self.run_connection(node, driven);
                }
            }
            Body::Up(index) => {
                let index = *index;
                self.run_link(index, Way::Up);
            }
            Body::Down(index) => {
                let index = *index;
                self.run_link(index, Way::Down);
            }
            Body::Cluster => self.run_cluster(),
            Body::Timers => self.run_timers(),
        }
        Outside::Nothing
    }

    /// Until when the node's process does not run.
    fn paused(&mut self, node: u32) -> Option<Instant> {
        let client = self.nodes.get(node).client?;
        self.clients.get(client)?.paused_until.filter(|until| *until > self.now())
    }

    fn run_control(&mut self, node: u32, mut task: Box<ControlTask>) {
        let now = self.now();
        let (entity, client) = (self.nodes.get(node).entity, self.nodes.get(node).client);
        self.record(TraceKind::Control, entity, 0, 0);
        task.drive(now);
        while let Some(connection) = task.poll_open(now) {
            if let Some(client) = client {
                self.add_connection(connection, client);
            }
        }
        if task.is_finished() {
            drop(self.nodes.remove(node));
            return;
        }
        let waker = self.nodes.waker(node);
        if task.poll_wake(&Context::from_waker(&waker)).is_ready() {
            self.wake(node);
        }
        self.nodes.set_deadline(node, task.poll_timeout());
        self.nodes.get(node).body = Body::Control(Some(task));
    }

    fn run_cluster(&mut self) {
        let now = self.now();
        self.record(TraceKind::Cluster, 0, 0, 0);
        self.cluster.set_wall_time(self.time.wall_time());
        self.cluster.handle_timeout(now);
        self.pump();
    }

    fn run_timers(&mut self) {
        let now = self.now();
        let mut count = 0;
        while let Some(first) = self.timers.sleepers.first_entry() {
            if first.key().0 > now {
                break;
            }
            first.remove().wake();
            count += 1;
        }
        self.record(TraceKind::Timers, u64::from(TIMERS), count, 0);
        self.arm_timers();
    }
}
