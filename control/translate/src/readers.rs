//! Which unit looked at what.

use crate::{plan::UnitKey, reads::Read};
use sluice_crds::ObjectName;
use std::{
    borrow::Borrow,
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Which unit looked at what, both ways round.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    reads: HashMap<Arc<UnitKey>, Box<[Arc<Read>]>>,
    /// In the order of their keys.
    units: HashMap<Arc<Read>, Vec<Arc<UnitKey>>>,
}

impl Readers {
    /// The units that looked at this.
    pub(crate) fn of(&self, read: &Read) -> impl Iterator<Item = &UnitKey> {
        self.units.get(read).into_iter().flatten().map(|unit| &**unit)
    }

    /// Everything that any unit looked at.
    pub(crate) fn all_reads(&self) -> impl Iterator<Item = &Read> {
        self.units.keys().map(|read| &**read)
    }

    /// What a unit referred to; see [`references`].
    pub(crate) fn references(&self, unit: &UnitKey) -> BTreeSet<ObjectName> {
        self.reads.get(unit).map(|reads| references(&**reads)).unwrap_or_default()
    }

    /// This, and nothing else, is what a unit looked at last.
    pub(crate) fn remember(&mut self, unit: &UnitKey, reads: HashSet<Read>) {
        self.forget(unit);
        let unit = Arc::new(unit.clone());
        let reads = reads.into_iter().map(|read| {
            let known = self.units.get_key_value(&read).map(|(read, _)| Arc::clone(read));
            let read = known.unwrap_or_else(|| Arc::new(read));
            // Most are looked at by one unit.
            let units = self.units.entry(Arc::clone(&read)).or_insert_with(|| Vec::with_capacity(1));
            if let Err(place) = units.binary_search(&unit) {
                units.insert(place, Arc::clone(&unit));
            }
            read
        });
        let reads = reads.collect();
        self.reads.insert(unit, reads);
    }

    /// The unit is not there any more.
    pub(crate) fn forget(&mut self, unit: &UnitKey) {
        for read in self.reads.remove(unit).unwrap_or_default() {
            if let Some(units) = self.units.get_mut(&read) {
                if let Ok(place) = units.binary_search_by(|known| (**known).cmp(unit)) {
                    units.remove(place);
                }
                if units.is_empty() {
                    self.units.remove(&read);
                }
            }
        }
    }
}

/// The objects among them that a source need not read unless somebody refers to them.
pub(crate) fn references<'r, R: Borrow<Read> + 'r>(
    reads: impl IntoIterator<Item = &'r R>,
) -> BTreeSet<ObjectName> {
    reads.into_iter().filter_map(|read| read.borrow().reference()).cloned().collect()
}
