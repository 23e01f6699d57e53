//! The clock behind guests' deadlines.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};

use crate::config::EPOCH_TICK;

/// One thread that moves an engine's epoch on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(engine: wasmtime::Engine) -> io::Result<Self> {
        let (stop, stopped) = mpsc::sync_channel::<()>(0);
        let thread =
            thread::Builder::new().name("evertick-epoch".into()).stack_size(64 << 10).spawn(move || {
                while stopped.recv_timeout(EPOCH_TICK) == Err(RecvTimeoutError::Timeout) {
                    engine.increment_epoch();
                }
            })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread does nothing that panics; if it did, there would be nobody left to tell.
            let _ = thread.join();
        }
    }
}
