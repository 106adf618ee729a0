//! What threads do to the engine's waits.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use klamm_core::{Instant, client::Done};
use loom::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use crate::{
    budget::Budget,
    mailbox::{Item, Mailbox, WakeFlag},
    operation::{Operation, Stopped},
    wait::{Parker, Registration, Waiters, block::poll_parked, poll_until, until},
};

/// Waits on this thread for a future, as the engine does.
fn wait_for<F: Future>(future: F) -> F::Output {
    let parker = Arc::new(Parker::new());
    let waker = Waker::from(Arc::clone(&parker));
    poll_parked(pin!(future), &parker, &waker, None).expect("there is no deadline")
}

fn wake(act: impl FnOnce(&mut Vec<Waker>)) {
    let mut wakers = Vec::new();
    act(&mut wakers);
    for waker in wakers {
        waker.wake();
    }
}

/// Does something with what is shared on a thread of its own.
fn beside<S: Send + Sync + 'static, T: 'static>(
    shared: &Arc<S>,
    act: impl FnOnce(&Arc<S>) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let shared = Arc::clone(shared);
    thread::spawn(move || act(&shared))
}

/// A condition and those who wait for it.
#[derive(Default)]
struct Condition {
    waiters: Waiters,
    holds: AtomicBool,
}

impl Condition {
    fn look(&self) -> Option<()> {
        self.holds.load(Ordering::Acquire).then_some(())
    }

    fn wait(&self) {
        wait_for(until(&self.waiters, || self.look()));
    }

    fn change(&self) {
        self.holds.store(true, Ordering::Release);
        wake(|wakers| self.waiters.take(wakers));
    }
}

/// One waits, one changes.
pub fn no_wake_up_is_lost() {
    loom::model(|| {
        let condition = Arc::new(Condition::default());
        let waiter = beside(&condition, |condition| condition.wait());
        condition.change();
        waiter.join().expect("it waits to the end");
    });
}

/// The same with a wait that does not look again after it has registered: loom finds the order in which nobody wakes it.
pub fn without_the_second_look() {
    loom::model(|| {
        let condition = Arc::new(Condition::default());
        let waiter = beside(&condition, |condition| {
            let mut registration = Registration::default();
            wait_for(std::future::poll_fn(|context| match condition.look() {
                Some(()) => Poll::Ready(()),
                None => {
                    condition.waiters.register(&mut registration, context.waker());
                    Poll::Pending
                }
            }));
        });
        condition.change();
        waiter.join().expect("it waits to the end");
    });
}

/// Two wait, and a third gives up: it takes nobody else's wake-up with it.
pub fn many_are_woken() {
    loom::model(|| {
        let condition = Arc::new(Condition::default());
        let waiter = beside(&condition, |condition| condition.wait());
        let mut given_up = Registration::default();
        let context = Context::from_waker(Waker::noop());
        let _ = poll_until(&condition.waiters, &mut given_up, &context, || condition.look());
        let changer = beside(&condition, |condition| condition.change());
        condition.waiters.forget(&mut given_up);
        waiter.join().expect("it waits to the end");
        changer.join().expect("it changes");
    });
}

/// The answer of an operation comes before, while or after it is waited for.
pub fn operation_is_answered() {
    loom::model(|| {
        let operation = Arc::new(Operation::default());
        let waiter = beside(&operation, |operation| wait_for(Arc::clone(operation).wait()));
        wake(|wakers| operation.answer(Err(Stopped), wakers));
        let answer: Result<Done, Stopped> = waiter.join().expect("it waits to the end");
        assert!(answer.is_err());
    });
}

/// Two put items into a mailbox, its owner takes them out until it has both.
pub fn mailbox_is_emptied() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::default());
        let push = |mailbox: &Mailbox| wake(|wakers| drop(mailbox.push(Item::Signals, wakers)));
        let owner = beside(&mailbox, |mailbox| {
            let mut taken = 0;
            while taken < 2 {
                wait_for(std::future::poll_fn(|context| mailbox.poll(context)));
                let mut items = Vec::new();
                mailbox.drain(&mut items);
                taken += items.len();
            }
        });
        let other = beside(&mailbox, move |mailbox| push(mailbox));
        push(&mailbox);
        owner.join().expect("it gets both");
        other.join().expect("it puts one in");
    });
}

/// Work is put down before the flag is raised; who waits lowers the flag before it looks for work.
pub fn woken_flag() {
    loom::model(|| {
        let shared = Arc::new((WakeFlag::default(), AtomicUsize::new(0)));
        let worker = beside(&shared, |shared| {
            let (flag, work) = &**shared;
            let mut done = 0;
            while done < 2 {
                wait_for(std::future::poll_fn(|context| flag.poll(context)));
                flag.lower();
                done += work.swap(0, Ordering::AcqRel);
            }
        });
        let raise = |(flag, work): &(WakeFlag, AtomicUsize)| {
            work.fetch_add(1, Ordering::AcqRel);
            wake(|wakers| flag.raise(wakers));
        };
        let other = beside(&shared, move |shared| raise(shared));
        raise(&shared);
        worker.join().expect("it does both");
        other.join().expect("it raises");
    });
}

/// One waits for room, another gives it back.
pub fn budget_serves() {
    loom::model(|| {
        let budget = Arc::new(Budget::new(2));
        assert!(budget.try_take(2));
        let waiter = beside(&budget, |budget| wait_for(budget.take(2, Instant::MAX)));
        budget.give_back(1);
        budget.give_back(1);
        assert_eq!(waiter.join().expect("it gets room"), Ok(()));
        assert_eq!(budget.taken(), 2);
    });
}

/// Who gives up while room is granted passes it on to the next, who waits.
pub fn budget_passes_on() {
    loom::model(|| {
        let budget = Arc::new(Budget::new(1));
        assert!(budget.try_take(1));
        let mut first = Box::pin(budget.take(1, Instant::MAX));
        let context = &mut Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut first).poll(context).is_pending());
        let second = beside(&budget, |budget| wait_for(budget.take(1, Instant::MAX)));
        let giver = beside(&budget, |budget| budget.give_back(1));
        drop(first);
        assert_eq!(second.join().expect("it gets room"), Ok(()));
        giver.join().expect("it gives back");
        assert_eq!(budget.taken(), 1);
    });
}
