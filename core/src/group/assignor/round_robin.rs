//! All partitions of all topics in turns.

use super::problem::{MemberNo, Problem, Solution};

/// Goes through the topics by name and their partitions by number, and gives each to the next member that subscribes
/// to the topic.
pub(super) fn assign(problem: &Problem<'_>) -> Solution {
    let mut solution = problem.unsolved();
    let mut next: MemberNo = 0;
    for (topic, subscribers) in problem.topics.iter().zip(problem.subscribers()) {
        if subscribers.is_empty() {
            continue;
        }
        let mut turn = subscribers.partition_point(|member| *member < next);
        for owner in &mut solution.owners[topic.first..topic.first + topic.count] {
            if turn == subscribers.len() {
                turn = 0;
            }
            *owner = subscribers[turn];
            next = *owner + 1;
            turn += 1;
        }
    }
    solution
}
