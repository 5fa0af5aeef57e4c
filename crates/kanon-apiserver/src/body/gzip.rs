//! Bodies in gzip, for clients that take it (kubectl and every client-go does). Compressed piece by piece on the way out, so
//! that a large list needs no second copy. Small answers and watches go out as they are, as upstream has it.

use std::{collections::VecDeque, io::Write as _, pin::Pin};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::{Stream, StreamExt as _, stream};

use super::{Body, Kind, gather};

/// From this many bytes on (upstream's threshold).
pub(super) const WORTH: u64 = 128 << 10;

/// Whether `Accept-Encoding` takes gzip.
pub(crate) fn is_accepted(accept_encoding: &str) -> bool {
    let mut codings = accept_encoding.split(',').map(str::trim);
    codings.any(|it| {
        let mut parts = it.split(';').map(str::trim);
        let takes = parts.next().is_some_and(|it| it.eq_ignore_ascii_case("gzip"));
        takes && !parts.any(|it| matches!(it, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

impl Body {
    /// The same body in gzip where that is worth it; says whether it is.
    pub(crate) fn gzipped(self) -> (Body, bool) {
        let Body { kind, is_large, held } = self;
        let (pieces, rest) = match kind {
            Kind::Whole(Some(bytes)) if bytes.len() as u64 >= WORTH => (slices(&bytes), None),
            Kind::Pieces { pieces, left } if left >= WORTH => (pieces, None),
            Kind::Stream(stream, pieces) if is_large => (pieces, Some(stream)),
            other => return (Body { kind: other, is_large, held }, false),
        };
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let body = Body::stream(stream::unfold(Some(Work { pieces, rest, encoder }), next));
        (Body { held, ..body }, true)
    }
}

/// What is still to be compressed.
struct Work {
    pieces: VecDeque<Bytes>,
    rest: Option<Pin<Box<dyn Stream<Item = Vec<Bytes>> + Send>>>,
    encoder: GzEncoder<Vec<u8>>,
}

/// The next compressed part; the end of the stream comes with the last one.
async fn next(work: Option<Work>) -> Option<(Vec<Bytes>, Option<Work>)> {
    let mut work = work?;
    loop {
        let Some(piece) = gather(&mut work.pieces) else {
            let more = match &mut work.rest {
                Some(rest) => rest.next().await,
                None => None,
            };
            match more {
                Some(more) => work.pieces.extend(more),
                None => return Some((vec![work.encoder.finish().ok()?.into()], None)),
            }
            continue;
        };
        // A vector takes everything.
        work.encoder.write_all(&piece).ok()?;
        let ready = std::mem::take(work.encoder.get_mut());
        if !ready.is_empty() {
            // Others get their turn between two parts.
            tokio::task::yield_now().await;
            return Some((vec![ready.into()], Some(work)));
        }
    }
}

/// One large piece as many, so that it is not compressed in one go.
fn slices(bytes: &Bytes) -> VecDeque<Bytes> {
    let starts = (0..bytes.len()).step_by(super::GATHER);
    starts.map(|it| bytes.slice(it..bytes.len().min(it + super::GATHER))).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use http_body_util::BodyExt as _;

    use super::*;

    #[test]
    fn clients_say_whether_they_take_it() {
        for (header, want) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("br, zstd", false),
        ] {
            assert_eq!(is_accepted(header), want, "{header}");
        }
    }

    #[tokio::test]
    async fn large_bodies_come_back_as_they_were_and_small_ones_unchanged() {
        let text: Vec<u8> = (0..400_000_u32).flat_map(|it| it.to_string().into_bytes()).collect();
        let pieces: Vec<Bytes> = text.chunks(1000).map(Bytes::copy_from_slice).collect();
        let mut made: VecDeque<Vec<u8>> = text.chunks(5000).map(<[u8]>::to_vec).collect();
        let made = Body::made(move || made.pop_front());
        for body in [Body::whole(text.clone()), Body::pieces(pieces), made] {
            let (body, compressed) = body.gzipped();
            assert!(compressed);
            let sent = body.collect().await.expect("infallible").to_bytes();
            assert!(sent.len() < text.len() / 2, "{}", sent.len());
            let mut read = Vec::new();
            GzDecoder::new(&sent[..]).read_to_end(&mut read).expect("gzip");
            assert_eq!(read, text);
        }
        let watch = Body::stream(stream::iter([vec![Bytes::from("small")]]));
        for body in [Body::whole("small"), watch] {
            let (body, compressed) = body.gzipped();
            assert!(!compressed);
            assert_eq!(body.collect().await.expect("infallible").to_bytes(), "small");
        }
    }
}
