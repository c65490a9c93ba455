//! Who is next: first in, first out within a tenant, tenants take turns.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

/// Tasks of many tenants. A task has a number that grows with the time it came, so that one put back
/// takes its old place.
#[derive(Debug)]
pub struct FairQueue<T> {
    tenants: HashMap<Arc<str>, BTreeMap<u64, T>>,
    /// Tenants that have tasks, each once; the first one is served next.
    turns: VecDeque<Arc<str>>,
    tasks_per_tenant_max: usize,
    len: usize,
}

/// The tenant already waits for as many tasks as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many outstanding requests")]
pub struct TooMany;

impl<T> FairQueue<T> {
    /// Nobody waits; no tenant may have more than `tasks_per_tenant_max` tasks waiting.
    pub fn new(tasks_per_tenant_max: usize) -> Self {
        Self { tenants: HashMap::new(), turns: VecDeque::new(), tasks_per_tenant_max, len: 0 }
    }

    /// Adds a task of `tenant`.
    ///
    /// # Errors
    /// When the tenant's queue is full.
    pub fn push(&mut self, tenant: &Arc<str>, number: u64, task: T) -> Result<(), TooMany> {
        if self.len_of(tenant) >= self.tasks_per_tenant_max {
            return Err(TooMany);
        }
        self.put_back(tenant, number, task);
        Ok(())
    }

    /// Adds a task that had left the queue, whatever the bound: it was admitted once.
    pub fn put_back(&mut self, tenant: &Arc<str>, number: u64, task: T) {
        let tasks = self.tenants.entry(tenant.clone()).or_default();
        if tasks.is_empty() {
            self.turns.push_back(tenant.clone());
        }
        if tasks.insert(number, task).is_none() {
            self.len += 1;
        }
    }

    /// Takes the next task: the oldest one of the tenant whose turn it is.
    pub fn pop(&mut self) -> Option<(Arc<str>, u64, T)> {
        let tenant = self.turns.pop_front()?;
        let tasks = self.tenants.get_mut(&tenant).expect("tenants in turns have tasks");
        let (number, task) = tasks.pop_first().expect("tenants in turns have tasks");
        self.len -= 1;
        if tasks.is_empty() {
            self.tenants.remove(&tenant);
        } else {
            self.turns.push_back(tenant.clone());
        }
        Some((tenant, number, task))
    }

    /// Takes a certain task out, `None` when it is not here.
    pub fn remove(&mut self, tenant: &str, number: u64) -> Option<T> {
        let tasks = self.tenants.get_mut(tenant)?;
        let task = tasks.remove(&number)?;
        self.len -= 1;
        if tasks.is_empty() {
            self.tenants.remove(tenant);
            self.turns.retain(|t| &**t != tenant);
        }
        Some(task)
    }

    /// Takes everything out.
    pub fn drain(&mut self) -> Vec<T> {
        self.turns.clear();
        self.len = 0;
        self.tenants.drain().flat_map(|(_, tasks)| tasks.into_values()).collect()
    }

    /// How many tasks of `tenant` wait.
    pub fn len_of(&self, tenant: &str) -> usize {
        self.tenants.get(tenant).map_or(0, BTreeMap::len)
    }

    /// How many tasks wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes `(tenant, number)` in order and returns the order in which they come out.
    fn order(pushed: &[(&str, u64)]) -> Vec<(String, u64)> {
        let mut queue = FairQueue::new(100);
        for (tenant, number) in pushed {
            queue.push(&Arc::from(*tenant), *number, ()).unwrap();
        }
        std::iter::from_fn(|| queue.pop()).map(|(tenant, number, ())| (tenant.to_string(), number)).collect()
    }

    #[test]
    fn tenants_take_turns_and_tasks_come_in_order() {
        type Case<'a> = (&'a [(&'a str, u64)], &'a [(&'a str, u64)]);
        let cases: &[Case<'_>] = &[
            (&[], &[]),
            (&[("a", 1), ("a", 2), ("a", 3)], &[("a", 1), ("a", 2), ("a", 3)]),
            (
                &[("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)],
                &[("a", 1), ("b", 4), ("c", 5), ("a", 2), ("b", 6), ("a", 3)],
            ),
        ];
        for (pushed, expect) in cases {
            let expect: Vec<_> = expect.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect();
            assert_eq!(order(pushed), expect, "{pushed:?}");
        }
    }

    #[test]
    fn the_bound_holds_for_new_tasks_only() {
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        let mut queue = FairQueue::new(2);
        queue.push(&a, 1, ()).unwrap();
        queue.push(&a, 2, ()).unwrap();
        assert_eq!(queue.push(&a, 3, ()), Err(TooMany));
        queue.push(&b, 4, ()).unwrap();
        let (tenant, number, ()) = queue.pop().unwrap();
        queue.push(&a, 5, ()).unwrap();
        queue.put_back(&tenant, number, ());
        assert_eq!((queue.len_of("a"), queue.len()), (3, 4));
        assert_eq!(queue.pop().unwrap().1, 4, "b has its turn");
        assert_eq!(queue.pop().unwrap().1, 1, "put back to its old place");
    }

    #[test]
    fn removed_tasks_leave_nothing_behind() {
        let a = Arc::from("a");
        let mut queue = FairQueue::new(2);
        queue.push(&a, 1, 'x').unwrap();
        assert_eq!(queue.remove("a", 2), None);
        assert_eq!(queue.remove("b", 1), None);
        assert_eq!(queue.remove("a", 1), Some('x'));
        assert!(queue.is_empty() && queue.pop().is_none());
        queue.push(&a, 3, 'y').unwrap();
        assert_eq!(queue.drain(), ['y']);
        assert!(queue.pop().is_none());
    }
}
