//! The outgoing side of a WebSocket: a queue of shared byte strings, written with vectored writes.
//!
//! `tokio-websockets` frames a message from one contiguous payload, so a frame made of a per-session head and
//! shared cell blocks would have to be copied together for each session. A server's frames are not masked, so the
//! head of the WebSocket frame can simply stand before the blocks: [`Wire::push`] queues them as they are.
//!
//! [`Wire`] sits *under* `tokio-websockets`, which writes pings, pongs and closes through it (and, in a client, whose
//! frames must be masked, everything). Every write is accepted whole and at once, so frames of the two writers
//! never mix; only [`Wire::poll_drain`] touches the socket.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::Queued;

/// Parts shorter than this are copied next to their neighbours: cheaper than one more element of a vectored write.
const SHARED_BYTES_MIN: usize = 512;

/// Elements of one vectored write.
const SLICES_MAX: usize = 32;

/// The opcode of a binary message in one frame, with FIN.
const BINARY: u8 = 0x82;

#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    /// Whether a message is written once this is.
    ends_message: bool,
}

/// An I/O stream with its outgoing queue.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    chunks: VecDeque<Chunk>,
    queued: Queued,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, chunks: VecDeque::new(), queued: Queued::default() }
    }

    pub(crate) fn queued(&self) -> Queued {
        self.queued
    }

    /// Queues one unmasked binary message, the concatenation of `parts`.
    pub(crate) fn push(&mut self, parts: &[Bytes]) {
        let length: usize = parts.iter().map(Bytes::len).sum();
        let mut small = BytesMut::with_capacity(
            10 + parts.iter().map(Bytes::len).filter(|length| *length < SHARED_BYTES_MIN).sum::<usize>(),
        );
        small.put_u8(BINARY);
        match length {
            0..=125 => small.put_u8(length as u8),
            126..=0xffff => {
                small.put_u8(126);
                small.put_u16(length as u16);
            }
            _ => {
                small.put_u8(127);
                small.put_u64(length as u64);
            }
        }
        for part in parts {
            if part.len() < SHARED_BYTES_MIN {
                small.extend_from_slice(part);
            } else {
                self.enqueue(small.split().freeze());
                self.enqueue(part.clone());
            }
        }
        self.enqueue(small.freeze());
        if let Some(last) = self.chunks.back_mut() {
            last.ends_message = true;
            self.queued.messages += 1;
        }
    }

    fn enqueue(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.queued.bytes += bytes.len();
            self.chunks.push_back(Chunk { bytes, ends_message: false });
        }
    }

    fn written(&mut self, mut count: usize) {
        self.queued.bytes -= count;
        while count > 0 {
            let first = self.chunks.front_mut().expect("no more is written than was queued");
            if count < first.bytes.len() {
                first.bytes.advance(count);
                return;
            }
            count -= first.bytes.len();
            self.queued.messages -= usize::from(first.ends_message);
            self.chunks.pop_front();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Writes what is queued; ready when nothing is left.
    pub(crate) fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.chunks.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                *slice = IoSlice::new(&chunk.bytes);
                count += 1;
            }
            match ready!(Pin::new(&mut self.stream).poll_write_vectored(context, &slices[..count]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written(written),
            }
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Writes what is queued, tells the peer that no more comes, and discards what it still sends, up to
    /// `discard_bytes_max`, until it ends too.
    pub(crate) fn poll_finish(
        &mut self,
        context: &mut Context<'_>,
        discard_bytes_max: &mut usize,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        let mut scratch = [0; 4096];
        while *discard_bytes_max > 0 {
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            let read = buffer.filled().len();
            if read == 0 {
                break;
            }
            *discard_bytes_max = discard_bytes_max.saturating_sub(read);
        }
        Poll::Ready(Ok(()))
    }
}

/// Reading also writes what is queued: whoever waits for an answer has its question sent.
impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let _the_rest_later = self.poll_drain(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

/// What `tokio-websockets` writes: whole frames, which are queued behind what is there.
impl<S: Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.enqueue(Bytes::copy_from_slice(bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        let mut all = BytesMut::with_capacity(length);
        slices.iter().for_each(|slice| all.extend_from_slice(slice));
        self.enqueue(all.freeze());
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::future::poll_fn;

    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    fn header_length(payload: usize) -> usize {
        match payload {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever the parts, and however few bytes the pipe takes at a time, the other side reads them joined.
        #[test]
        fn parts_arrive_joined(
            messages in prop::collection::vec(prop::collection::vec(0_usize..1500, 0..6), 1..6),
            pipe_bytes in 1_usize..4000,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let (near, mut far) = tokio::io::duplex(pipe_bytes);
                let mut wire = Wire::new(near);
                let mut want = Vec::new();
                for (number, lengths) in messages.iter().enumerate() {
                    let parts: Vec<Bytes> = lengths.iter().map(|length| vec![number as u8; *length].into()).collect();
                    wire.push(&parts);
                    want.push(lengths.iter().sum::<usize>());
                }
                assert_eq!(wire.queued().messages, messages.len());
                let total: usize = want.iter().map(|length| length + header_length(*length)).sum();
                assert_eq!(wire.queued().bytes, total);

                let mut got = vec![0; total];
                let read = far.read_exact(&mut got);
                let (drained, read) = tokio::join!(poll_fn(|context| wire.poll_drain(context)), read);
                drained.unwrap();
                read.unwrap();
                assert_eq!(wire.queued(), Queued::default());
                let mut at = 0;
                for (number, length) in want.into_iter().enumerate() {
                    assert_eq!(got[at], BINARY);
                    at += header_length(length);
                    assert!(got[at..at + length].iter().all(|byte| *byte == number as u8));
                    at += length;
                }
            });
        }
    }
}
