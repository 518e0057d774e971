pub(crate) mod database;
pub(crate) mod pooler;
pub(crate) mod proxy;
pub(crate) mod world;
