pub(crate) mod browser;
pub(crate) mod database;
pub(crate) mod freqtrade;
pub(crate) mod payers;
pub(crate) mod pooler;
pub(crate) mod proxy;
pub(crate) mod tripay;
pub(crate) mod world;
