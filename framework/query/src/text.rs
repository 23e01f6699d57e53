//! From text to its parts, by `sqlparser`.
//!
//! The text is a stranger's, so tokens are counted and looked at first: only those that a query may have reach
//! the parser, in bounded number and nesting, which bounds the parser's recursion and its trying of ways.

use sqlparser::ast::{Expr, Ident, ObjectNamePart, Spanned};
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::TEXT_BYTES_MAX;
use crate::error::{At, QueryError};

/// The most tokens of a query, white space not counted.
const TOKENS_MAX: usize = 2048;
/// The deepest nesting of parentheses.
const NESTING_MAX: usize = 8;
/// How deep the parser may recurse: parentheses, and chains of NOT.
const RECURSION_MAX: usize = 48;

/// SQL without anybody's extensions.
#[derive(Debug)]
struct Plain;

impl Dialect for Plain {
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }
}

/// A name and where it stands.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) at: At,
}

/// A query's parts, not checked against anything.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) explain: bool,
    /// Of `SELECT row.*`.
    pub(crate) select: Option<Named>,
    pub(crate) from: Named,
    pub(crate) joins: Vec<Named>,
    pub(crate) filter: Option<Expr>,
}

/// Takes a query's text apart.
pub(crate) fn parse(text: &str) -> Result<Parts, QueryError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(QueryError::TooLong { bytes: text.len() });
    }
    let tokens = Tokenizer::new(&Plain, text)
        .tokenize_with_location()
        .map_err(|error| QueryError::Syntax { at: at(error.location), problem: error.message })?;
    check_tokens(&tokens)?;
    let parser = Parser::new(&Plain).with_recursion_limit(RECURSION_MAX).with_tokens_with_locations(tokens);
    let last = text.lines().last().unwrap_or_default();
    let end = At { line: text.lines().count().max(1) as u64, column: last.chars().count() as u64 + 1 };
    Reader { parser, end }.query()
}

/// Where an expression starts.
pub(crate) fn start_of(expr: &Expr) -> At {
    at(expr.span().start)
}

/// Where a name starts.
pub(crate) fn ident_at(ident: &Ident) -> At {
    at(ident.span.start)
}

fn at(location: Location) -> At {
    At { line: location.line, column: location.column }
}

fn check_tokens(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    let (mut count, mut depth) = (0, 0usize);
    for token in tokens {
        let allowed = match &token.token {
            Token::Whitespace(_) => continue,
            Token::LParen => {
                depth += 1;
                true
            }
            Token::RParen => {
                depth = depth.saturating_sub(1);
                true
            }
            Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_) => true,
            Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq => true,
            Token::Comma | Token::Period | Token::Mul | Token::Minus | Token::Plus => true,
            Token::Colon | Token::SemiColon | Token::EOF => true,
            _ => false,
        };
        if !allowed {
            let instead =
                "use names, numbers, 'texts', comparisons, AND, OR, NOT, IN, BETWEEN and parentheses";
            return Err(unsupported(token, at(token.span.start), instead));
        }
        count += 1;
        if depth > NESTING_MAX {
            let instead = "write the condition with fewer parentheses";
            return Err(QueryError::Limit { what: "parentheses nest", max: NESTING_MAX, instead });
        }
    }
    if count > TOKENS_MAX {
        let instead = "ask in several queries";
        return Err(QueryError::Limit { what: "a query has words and signs,", max: TOKENS_MAX, instead });
    }
    Ok(())
}

fn unsupported(token: &TokenWithSpan, at: At, instead: &'static str) -> QueryError {
    let what = match &token.token {
        Token::EOF => "the text's end here".to_owned(),
        other => other.to_string(),
    };
    QueryError::Unsupported { at, what, instead }
}

struct Reader<'text> {
    parser: Parser<'text>,
    /// Behind the last character; the parser's end has no place.
    end: At,
}

const SHAPE: &str =
    "a query is SELECT * FROM row [JOIN other USING (entity)] [WHERE condition], or EXPLAIN before that";

impl Reader<'_> {
    fn query(&mut self) -> Result<Parts, QueryError> {
        let explain = self.parser.parse_keyword(Keyword::EXPLAIN);
        self.keyword(Keyword::SELECT)?;
        let select = self.selected()?;
        self.keyword(Keyword::FROM)?;
        let from = self.name()?;
        let mut joins = Vec::new();
        while self.parser.parse_keywords(&[Keyword::INNER, Keyword::JOIN])
            || self.parser.parse_keyword(Keyword::JOIN)
        {
            joins.push(self.name()?);
            self.using_entity()?;
        }
        let mut filter = None;
        if self.parser.parse_keyword(Keyword::WHERE) {
            let expr = self.parser.parse_expr();
            filter = Some(expr.map_err(|error| self.syntax(error))?);
        }
        let _ = self.parser.consume_token(&Token::SemiColon);
        match self.parser.peek_token() {
            TokenWithSpan { token: Token::EOF, .. } => Ok(Parts { explain, select, from, joins, filter }),
            _ if filter.is_some() => {
                let instead = "it ends with its condition: order, limit and group the result in the client";
                Err(self.unexpected(instead))
            }
            _ => Err(self.unexpected(SHAPE)),
        }
    }

    fn keyword(&mut self, keyword: Keyword) -> Result<(), QueryError> {
        if self.parser.parse_keyword(keyword) {
            return Ok(());
        }
        Err(self.unexpected(SHAPE))
    }

    /// `*` or `row.*`
    fn selected(&mut self) -> Result<Option<Named>, QueryError> {
        if self.parser.consume_token(&Token::Mul) {
            return Ok(None);
        }
        let whole = "rows come whole: write SELECT *, or SELECT row.*";
        let mut named: Option<Named> = None;
        loop {
            let ident = self.ident(whole)?;
            named = Some(match named {
                None => Named { at: ident_at(&ident), name: ident.value },
                Some(named) => Named { name: format!("{}.{}", named.name, ident.value), ..named },
            });
            if !self.parser.consume_token(&Token::Period) {
                return Err(self.unexpected(whole));
            }
            if self.parser.consume_token(&Token::Mul) {
                return Ok(named);
            }
        }
    }

    fn name(&mut self) -> Result<Named, QueryError> {
        let place = self.place();
        let name = self.parser.parse_object_name(false).map_err(|error| self.syntax(error))?;
        let part =
            |part: &ObjectNamePart| part.as_ident().map_or_else(String::new, |ident| ident.value.clone());
        let parts: Vec<_> = name.0.iter().map(part).collect();
        Ok(Named { name: parts.join("."), at: place })
    }

    fn using_entity(&mut self) -> Result<(), QueryError> {
        let instead = "rows are joined by their entity: JOIN other USING (entity)";
        let mut fits = self.parser.parse_keyword(Keyword::USING) && self.parser.consume_token(&Token::LParen);
        fits = fits && self.ident(instead)?.value == "entity" && self.parser.consume_token(&Token::RParen);
        if fits { Ok(()) } else { Err(self.unexpected(instead)) }
    }

    fn ident(&mut self, instead: &'static str) -> Result<Ident, QueryError> {
        if !matches!(self.parser.peek_token_ref().token, Token::Word(_)) {
            return Err(self.unexpected(instead));
        }
        self.parser.parse_identifier().map_err(|error| self.syntax(error))
    }

    /// The next token is none that may stand here.
    fn unexpected(&self, instead: &'static str) -> QueryError {
        unsupported(self.parser.peek_token_ref(), self.place(), instead)
    }

    fn place(&self) -> At {
        let next = self.parser.peek_token_ref();
        if next.token == Token::EOF { self.end } else { at(next.span.start) }
    }

    /// An error of the parser, which says where it is in words.
    fn syntax(&self, error: ParserError) -> QueryError {
        let problem = match error {
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => {
                text.split(" at Line").next().unwrap_or_default().to_owned()
            }
            ParserError::RecursionLimitExceeded => "the condition nests too deep; write it flatter".into(),
        };
        QueryError::Syntax { at: self.place(), problem }
    }
}
