//! What a configuration has in common with the one before it: parts that are the same, not just equal.

use crate::{config::Index, spec};
use std::{collections::HashMap, sync::Arc};

/// For each part of a list, where it stands in the list before.
pub type Places = Vec<Option<usize>>;

/// The parts of a configuration that the one before it has too, and where names stand.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) listeners: Places,
    pub(crate) route_tables: Places,
    pub(crate) clusters: Places,
    pub(crate) secrets: Places,
    pub(crate) indexes: Indexes,
}

/// Where each name stands in its list. Shared as long as the names are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Indexes {
    pub(crate) listeners: Arc<Index>,
    pub(crate) route_tables: Arc<Index>,
    pub(crate) clusters: Arc<Index>,
    pub(crate) secrets: Arc<Index>,
}

/// Where the parts of `new` stand in `old`; of a part that stands in either of them twice, one place is enough. Costs little where most stand where they stood, or moved together.
pub fn places<T>(new: &[Arc<T>], old: &[Arc<T>]) -> Places {
    let same = |(new, old): &(&Arc<T>, &Arc<T>)| Arc::ptr_eq(new, old);
    let front = new.iter().zip(old).take_while(same).count();
    let (new_rest, old_rest) = (&new[front..], &old[front..]);
    let back = new_rest.iter().rev().zip(old_rest.iter().rev()).take_while(same).count();
    let between = &old_rest[..old_rest.len() - back];
    let known: HashMap<*const T, usize> = between.iter().map(Arc::as_ptr).zip(front..).collect();
    let moved = new_rest[..new_rest.len() - back].iter().map(|part| known.get(&Arc::as_ptr(part)).copied());
    let behind = old.len() - back..old.len();
    (0..front).map(Some).chain(moved).chain(behind.map(Some)).collect()
}

// === impl Kept ===

impl Kept {
    /// With what was checked before, and where names stood then.
    pub(crate) fn new(new: &spec::Config, old: Option<(&spec::Config, &Indexes)>) -> Self {
        let nothing = (&spec::Config::default(), &Indexes::default());
        let (old, known) = old.unwrap_or(nothing);
        let listeners = places(&new.listeners, &old.listeners);
        let route_tables = places(&new.route_tables, &old.route_tables);
        let clusters = places(&new.clusters, &old.clusters);
        let secrets = places(&new.secrets, &old.secrets);
        let indexes = Indexes {
            listeners: index(&new.listeners, &old.listeners, &listeners, &known.listeners, |it| &it.name),
            route_tables: index(
                &new.route_tables,
                &old.route_tables,
                &route_tables,
                &known.route_tables,
                |it| &it.name,
            ),
            clusters: index(&new.clusters, &old.clusters, &clusters, &known.clusters, |it| &it.name),
            secrets: index(&new.secrets, &old.secrets, &secrets, &known.secrets, |it| &it.name),
        };
        Self { listeners, route_tables, clusters, secrets, indexes }
    }
}

fn index<T>(
    new: &[Arc<T>],
    old: &[Arc<T>],
    places: &Places,
    known: &Arc<Index>,
    name: impl Fn(&T) -> &str,
) -> Arc<Index> {
    let named_alike = |place: usize| places[place] == Some(place) || name(&new[place]) == name(&old[place]);
    if new.len() == old.len() && (0..new.len()).all(named_alike) {
        return Arc::clone(known);
    }
    Arc::new(new.iter().enumerate().map(|(place, part)| (name(part).into(), place)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[Arc<u32>], numbers: &[usize]) -> Vec<Arc<u32>> {
        numbers.iter().map(|number| Arc::clone(&all[*number])).collect()
    }

    #[test]
    fn parts_are_found_wherever_they_moved() {
        let all: Vec<Arc<u32>> = (0..9).map(Arc::new).collect();
        let old = of(&all, &[0, 1, 2, 3, 4]);
        for new in [
            &[0, 1, 2, 3, 4][..],
            &[0, 1, 7, 3, 4],
            &[0, 1, 7, 2, 3, 4],
            &[0, 2, 3, 4],
            &[4, 3, 8, 1, 0],
            &[7],
            &[],
        ] {
            let wanted: Places = new.iter().map(|number| (*number < 5).then_some(*number)).collect();
            assert_eq!(places(&of(&all, new), &old), wanted, "{new:?}");
        }
        assert_eq!(places(&old, &[]), vec![None; 5]);
    }

    #[test]
    fn an_equal_part_is_not_the_same_part() {
        assert_eq!(places(&[Arc::new(1)], &[Arc::new(1)]), [None]);
    }
}
