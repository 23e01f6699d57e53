//! The answers to calls and queries, as frames have them.

use bytes::Bytes;

use crate::error::ProtocolError;
use crate::frame::{CallOutcome, CallReply, FailCode, QueryOutcome, QueryReply, TopicId};
use crate::limits::{SERVER_MESSAGE_BYTES_MAX, TEXT_BYTES_MAX, TOPICS_MAX};
use crate::put;
use crate::reader::Reader;

const OK: u8 = 0;
const REFUSED: u8 = 1;
const FAILED: u8 = 2;

const APPLIED: u8 = 0;
const QUERY_REFUSED: u8 = 1;
const EXPLAINED: u8 = 2;

pub(crate) fn put_reply(out: &mut Vec<u8>, reply: &CallReply) {
    put::varint(out, reply.seq.into());
    match &reply.result {
        CallOutcome::Ok(row) => {
            out.push(OK);
            put::bytes(out, row);
        }
        CallOutcome::Refused { variant, message, fields } => {
            out.push(REFUSED);
            let text = message.floor_char_boundary(TEXT_BYTES_MAX);
            let len = 2 + put::varint_len(text as u64) + text + fields.len();
            put::varint(out, len as u64);
            out.extend_from_slice(&variant.to_le_bytes());
            put::text(out, message, TEXT_BYTES_MAX);
            out.extend_from_slice(fields);
        }
        CallOutcome::Failed { code, message, id } => {
            out.push(FAILED);
            let text = message.floor_char_boundary(TEXT_BYTES_MAX);
            put::varint(out, (1 + put::varint_len(text as u64) + text + 8) as u64);
            out.push(*code as u8);
            put::text(out, message, TEXT_BYTES_MAX);
            out.extend_from_slice(&id.to_le_bytes());
        }
    }
}

pub(crate) fn read_reply(reader: &mut Reader<'_>) -> Result<CallReply, ProtocolError> {
    let seq = reader.varint_u32("a result's seq")?;
    let status = reader.u8("a result's status")?;
    let payload = reader.bytes(SERVER_MESSAGE_BYTES_MAX, "a result's payload")?;
    let mut payload = Reader::new(payload);
    let result = match status {
        OK => CallOutcome::Ok(Bytes::copy_from_slice(payload.rest())),
        REFUSED => CallOutcome::Refused {
            variant: payload.u16("a refusal's variant")?,
            message: payload.text(TEXT_BYTES_MAX, "a refusal's message")?.to_owned(),
            fields: Bytes::copy_from_slice(payload.rest()),
        },
        FAILED => {
            let failed = CallOutcome::Failed {
                code: FailCode::from_wire(payload.u8("a failure's code")?),
                message: payload.text(TEXT_BYTES_MAX, "a failure's message")?.to_owned(),
                id: payload.u64("a failure's id")?,
            };
            payload.finish("a failure")?;
            failed
        }
        status => return Err(ProtocolError::Unknown { what: "result status", value: status.into() }),
    };
    Ok(CallReply { seq, result })
}

pub(crate) fn put_query_reply(out: &mut Vec<u8>, reply: &QueryReply) {
    put::varint(out, reply.query.into());
    let (status, text) = match &reply.outcome {
        QueryOutcome::Applied { topics } => {
            out.push(APPLIED);
            let topics = || topics.iter().map(|topic| u64::from(topic.0));
            let len: usize = topics().map(put::varint_len).sum();
            put::varint(out, len as u64);
            topics().for_each(|topic| put::varint(out, topic));
            return;
        }
        QueryOutcome::Refused { message } => (QUERY_REFUSED, message),
        QueryOutcome::Explained { plan } => (EXPLAINED, plan),
    };
    out.push(status);
    put::text(out, text, TEXT_BYTES_MAX);
}

pub(crate) fn read_query_reply(reader: &mut Reader<'_>) -> Result<QueryReply, ProtocolError> {
    let query = reader.varint_u32("a query's number")?;
    let status = reader.u8("a query's status")?;
    let payload = reader.bytes(SERVER_MESSAGE_BYTES_MAX, "a query's payload")?;
    let text = || match str::from_utf8(payload) {
        _ if payload.len() > TEXT_BYTES_MAX => Err(ProtocolError::TooMuch {
            what: "a query's text",
            value: payload.len() as u64,
            max: TEXT_BYTES_MAX as u64,
        }),
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(ProtocolError::Utf8("a query's text")),
    };
    let outcome = match status {
        APPLIED => {
            let mut rest = Reader::new(payload);
            let mut topics = Vec::new();
            while !rest.is_empty() {
                topics.push(TopicId(rest.varint_u32("a query's topic")?));
                if topics.len() > TOPICS_MAX {
                    let (value, max) = (topics.len() as u64, TOPICS_MAX as u64);
                    return Err(ProtocolError::TooMuch { what: "a query's topics", value, max });
                }
            }
            QueryOutcome::Applied { topics }
        }
        QUERY_REFUSED => QueryOutcome::Refused { message: text()? },
        EXPLAINED => QueryOutcome::Explained { plan: text()? },
        status => return Err(ProtocolError::Unknown { what: "query status", value: status.into() }),
    };
    Ok(QueryReply { query, outcome })
}
