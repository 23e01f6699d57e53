//! In which order systems run.
//!
//! First what the systems themselves say (`before`, `after`). Then every two systems that can't run at the same
//! time, because one writes what the other touches, and that nothing orders yet, run as they were declared. So
//! the order of any two that could tell the difference is fixed, and what one wrote or commanded is there when
//! the other runs. The rest is free: an executor may run it in parallel.

use thiserror::Error;

/// What a system says about its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Declared<'a> {
    /// The module it is of.
    pub(crate) module: &'a str,
    /// Its name in the module.
    pub(crate) name: &'a str,
    /// Systems after it, qualified or of the same module.
    pub(crate) before: &'a [String],
    /// Systems before it.
    pub(crate) after: &'a [String],
}

impl Declared<'_> {
    /// `module.system`.
    pub(crate) fn qualified(&self) -> String {
        qualified(self.module, self.name)
    }
}

/// Why systems can't be ordered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderError {
    /// A name in `before` or `after` is nobody's.
    #[error(
        "system {system} is to run before or after {unknown}, which does not exist; name a system of the same module, or `module.system`"
    )]
    Unknown {
        /// The system that says so.
        system: String,
        /// The name it gives.
        unknown: String,
    },
    /// Going from one to the next leads back to the first.
    #[error("systems {} are each to run before the next and the last before the first; remove one of the `before` or `after`", systems.join(", "))]
    Cycle {
        /// Some systems of which each runs before itself.
        systems: Vec<String>,
    },
    /// Two systems are called the same.
    #[error("there are two systems called {name}; rename one")]
    Twice {
        /// The name.
        name: String,
    },
}

/// For each system the numbers of those that must be done before it starts.
pub(crate) fn order(
    systems: &[Declared<'_>],
    conflict: impl Fn(usize, usize) -> bool,
) -> Result<Vec<Vec<usize>>, OrderError> {
    let names: Vec<String> = systems.iter().map(Declared::qualified).collect();
    if let Some(name) =
        names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name))
    {
        return Err(OrderError::Twice { name: name.clone() });
    }

    let mut order = Order::new(systems.len());
    for (number, system) in systems.iter().enumerate() {
        let find = |name: &String| {
            let wanted = if name.contains('.') { name.clone() } else { qualified(system.module, name) };
            names
                .iter()
                .position(|name| *name == wanted)
                .ok_or_else(|| OrderError::Unknown { system: names[number].clone(), unknown: name.clone() })
        };
        for name in system.before {
            order.add(number, find(name)?);
        }
        for name in system.after {
            order.add(find(name)?, number);
        }
    }
    let cyclic: Vec<String> =
        (0..systems.len()).filter(|&at| order.reaches[at][at]).map(|at| names[at].clone()).collect();
    if !cyclic.is_empty() {
        return Err(OrderError::Cycle { systems: cyclic });
    }

    for second in 0..systems.len() {
        for first in 0..second {
            if !order.reaches[first][second] && !order.reaches[second][first] && conflict(first, second) {
                order.add(first, second);
            }
        }
    }
    Ok(order.before)
}

fn qualified(module: &str, system: &str) -> String {
    format!("{module}.{system}")
}

/// The order so far, and what follows from it.
struct Order {
    /// Per system, those directly before it.
    before: Vec<Vec<usize>>,
    /// `reaches[a][b]`: a runs before b.
    reaches: Vec<Vec<bool>>,
}

impl Order {
    fn new(systems: usize) -> Self {
        Self { before: vec![Vec::new(); systems], reaches: vec![vec![false; systems]; systems] }
    }

    fn add(&mut self, first: usize, second: usize) {
        if !self.before[second].contains(&first) {
            self.before[second].push(first);
        }
        let behind = self.reaches[second].clone();
        for (number, reaches) in self.reaches.iter_mut().enumerate() {
            if number == first || reaches[first] {
                reaches[second] = true;
                reaches.iter_mut().zip(&behind).for_each(|(reaches, behind)| *reaches |= behind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn declared<'a>(name: &'a str, before: &'a [String], after: &'a [String]) -> Declared<'a> {
        Declared { module: "m", name, before, after }
    }

    #[test]
    fn conflicting_systems_run_as_declared_unless_they_say_otherwise() {
        let (none, a) = (names(&[]), names(&["a"]));
        let systems = [declared("a", &none, &none), declared("b", &a, &none), declared("c", &none, &none)];
        let order = order(&systems, |_, _| true).unwrap();
        assert_eq!(order, [vec![1], vec![], vec![0]], "b is before c because it is before a");
    }

    #[test]
    fn systems_that_do_not_conflict_are_free() {
        let none = names(&[]);
        let systems = [declared("a", &none, &none), declared("b", &none, &none)];
        assert_eq!(order(&systems, |_, _| false).unwrap(), vec![Vec::<usize>::new(); 2]);
    }

    #[test]
    fn a_conflict_never_closes_a_cycle() {
        // c before b before a is declared backwards; conflicts of a with c must not turn it round.
        let (none, a, b) = (names(&[]), names(&["a"]), names(&["b"]));
        let systems = [declared("a", &none, &none), declared("b", &a, &none), declared("c", &b, &none)];
        assert_eq!(order(&systems, |_, _| true).unwrap(), [vec![1], vec![2], vec![]]);
    }

    #[test]
    fn unknown_names_and_cycles_are_errors() {
        let (none, b, a, other) = (names(&[]), names(&["b"]), names(&["m.a"]), names(&["other.a"]));
        let unknown = [declared("a", &other, &none)];
        assert_eq!(
            order(&unknown, |_, _| false).unwrap_err(),
            OrderError::Unknown { system: "m.a".into(), unknown: "other.a".into() }
        );
        let cycle = [declared("a", &b, &none), declared("b", &a, &none), declared("c", &none, &none)];
        let found = order(&cycle, |_, _| false).unwrap_err();
        assert_eq!(found, OrderError::Cycle { systems: names(&["m.a", "m.b"]) });
        let twice = [declared("a", &none, &none), declared("a", &none, &none)];
        assert_eq!(order(&twice, |_, _| false).unwrap_err(), OrderError::Twice { name: "m.a".into() });
    }
}
