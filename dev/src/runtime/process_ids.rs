//! The process ids of a function's instances.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Process ids of all instances of a function.
#[derive(Clone, Default)]
pub(super) struct ProcessIds(Arc<Mutex<BTreeSet<u32>>>);

/// Entry of a process id, removed when this is dropped.
pub(super) struct Registration {
    id: u32,
    ids: ProcessIds,
}

impl ProcessIds {
    pub(super) fn register(&self, id: u32) -> Registration {
        self.lock().insert(id);
        Registration { id, ids: self.clone() }
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn to_vec(&self) -> Vec<u32> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.ids.lock().remove(&self.id);
    }
}
