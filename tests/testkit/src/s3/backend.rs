//! The objects, and the part of S3 that our client and common tools use.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use parking_lot::Mutex;
use s3s::dto::*;
use s3s::{Body, S3, S3Error, S3Request, S3Response, S3Result, s3_error};

/// Keys in one page of a listing, as on S3.
const PAGE_KEYS_MAX: usize = 1000;

/// Everything stored. One lock for all keys: conditions and effects of a write are one step, as
/// they are on S3, and no request holds it for longer than a map operation.
#[derive(Default)]
pub(super) struct Objects {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    buckets: HashMap<String, BTreeMap<String, Stored>>,
    uploads: HashMap<String, BTreeMap<i32, Bytes>>,
    /// Numbers ETags and uploads; a content hash would call equal contents the same version.
    counter: u64,
}

#[derive(Clone)]
struct Stored {
    body: Bytes,
    etag: String,
    modified: SystemTime,
}

impl Objects {
    pub(super) fn list(&self, bucket: &str) -> Vec<(String, u64)> {
        let state = self.state.lock();
        let objects = state.buckets.get(bucket).into_iter().flatten();
        objects.map(|(key, o)| (key.clone(), o.body.len() as u64)).collect()
    }

    pub(super) fn body(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.state.lock().buckets.get(bucket)?.get(key).map(|o| o.body.clone())
    }

    fn find(&self, bucket: &str, key: &str) -> S3Result<Stored> {
        let state = self.state.lock();
        let found = state.buckets.get(bucket).and_then(|b| b.get(key)).cloned();
        found.ok_or_else(|| s3_error!(NoSuchKey))
    }

    fn write(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
        if_match: Option<&ETagCondition>,
        if_none_match: Option<&ETagCondition>,
    ) -> S3Result<String> {
        let mut state = self.state.lock();
        state.counter += 1;
        let etag = format!("{:032x}", state.counter);
        let objects = state.buckets.entry(bucket.to_owned()).or_default();
        let current = objects.get(key);
        match (if_match, current) {
            (Some(_), None) => return Err(s3_error!(NoSuchKey)),
            (Some(condition), Some(stored)) if !names(condition, stored) => {
                return Err(s3_error!(PreconditionFailed));
            }
            _ => {}
        }
        if let (Some(condition), Some(stored)) = (if_none_match, current)
            && names(condition, stored)
        {
            return Err(s3_error!(PreconditionFailed));
        }
        objects.insert(key.to_owned(), Stored { body, etag: etag.clone(), modified: SystemTime::now() });
        Ok(etag)
    }

    fn remove(&self, bucket: &str, key: &str) {
        if let Some(objects) = self.state.lock().buckets.get_mut(bucket) {
            objects.remove(key);
        }
    }
}

fn names(condition: &ETagCondition, stored: &Stored) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == stored.etag,
    }
}

pub(super) struct Backend {
    objects: Arc<Objects>,
}

impl Backend {
    pub(super) fn new(objects: Arc<Objects>) -> Backend {
        Backend { objects }
    }
}

fn blob(bytes: Bytes) -> StreamingBlob {
    StreamingBlob::from(Body::from(bytes))
}

/// The whole body; one that breaks off or whose signature or length is wrong is an error, and
/// nothing is stored.
async fn collect(body: Option<StreamingBlob>, length: Option<i64>) -> S3Result<Bytes> {
    let mut bytes = BytesMut::new();
    if let Some(mut body) = body {
        while let Some(chunk) = body.try_next().await.map_err(|_| s3_error!(IncompleteBody))? {
            bytes.extend_from_slice(&chunk);
        }
    }
    if length.is_some_and(|length| u64::try_from(length).ok() != Some(bytes.len() as u64)) {
        return Err(s3_error!(IncompleteBody));
    }
    Ok(bytes.freeze())
}

fn length(bytes: &Bytes) -> i64 {
    i64::try_from(bytes.len()).expect("a length in memory")
}

#[async_trait::async_trait]
impl S3 for Backend {
    async fn head_bucket(&self, _: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let stored = self.objects.find(&input.bucket, &input.key)?;
        if input.if_match.as_ref().is_some_and(|c| !names(c, &stored)) {
            return Err(s3_error!(PreconditionFailed));
        }
        let size = stored.body.len();
        let mut output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            e_tag: Some(ETag::Strong(stored.etag)),
            last_modified: Some(stored.modified.into()),
            ..GetObjectOutput::default()
        };
        let body = match input.range {
            None => stored.body,
            Some(range) => {
                let range = range.check(size as u64).map_err(|_| S3Error::from(s3s::S3ErrorCode::InvalidRange))?;
                output.content_range = Some(format!("bytes {}-{}/{size}", range.start, range.end - 1));
                let at = |byte: u64| usize::try_from(byte).expect("checked against a length in memory");
                stored.body.slice(at(range.start)..at(range.end))
            }
        };
        output.content_length = Some(length(&body));
        output.body = Some(blob(body));
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let stored = self.objects.find(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(length(&stored.body)),
            e_tag: Some(ETag::Strong(stored.etag)),
            last_modified: Some(stored.modified.into()),
            ..HeadObjectOutput::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let body = collect(input.body, input.content_length).await?;
        let (if_match, if_none_match) = (input.if_match.as_ref(), input.if_none_match.as_ref());
        let etag = self.objects.write(&input.bucket, &input.key, body, if_match, if_none_match)?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(ETag::Strong(etag)), ..PutObjectOutput::default() }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.clone().or_else(|| input.start_after.clone());
        let from = match &after {
            Some(after) if *after >= prefix => Bound::Excluded(after.clone()),
            _ => Bound::Included(prefix.clone()),
        };
        let max = input.max_keys.map_or(PAGE_KEYS_MAX, |m| usize::try_from(m).unwrap_or(0)).min(PAGE_KEYS_MAX);
        let delimiter = input.delimiter.clone().filter(|d| !d.is_empty());
        let (mut contents, mut folders): (Vec<Object>, Vec<CommonPrefix>) = (Vec::new(), Vec::new());
        let (mut last, mut truncated) = (None, false);
        let state = self.objects.state.lock();
        let objects = state.buckets.get(&input.bucket);
        let range = objects.into_iter().flat_map(|o| o.range((from.clone(), Bound::Unbounded)));
        for (key, stored) in range.take_while(|(key, _)| key.starts_with(&prefix)) {
            let rest = &key[prefix.len()..];
            let folder = delimiter.as_ref().and_then(|d| rest.find(d).map(|at| at + d.len()));
            let folder = folder.map(|end| format!("{prefix}{}", &rest[..end]));
            if folder.is_some() && folders.last().is_some_and(|f| f.prefix == folder) {
                last = Some(key.clone());
                continue;
            }
            if contents.len() + folders.len() >= max {
                truncated = true;
                break;
            }
            last = Some(key.clone());
            match folder {
                Some(folder) => folders.push(CommonPrefix { prefix: Some(folder) }),
                None => contents.push(Object {
                    key: Some(key.clone()),
                    size: Some(length(&stored.body)),
                    e_tag: Some(ETag::Strong(stored.etag.clone())),
                    last_modified: Some(stored.modified.into()),
                    ..Object::default()
                }),
            }
        }
        drop(state);
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            max_keys: input.max_keys,
            key_count: i32::try_from(contents.len() + folders.len()).ok(),
            is_truncated: Some(truncated),
            next_continuation_token: last.filter(|_| truncated),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            delimiter: input.delimiter,
            contents: Some(contents),
            common_prefixes: Some(folders),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.objects.remove(&request.input.bucket, &request.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = request.input;
        let mut deleted = Vec::new();
        for object in input.delete.objects {
            self.objects.remove(&input.bucket, &object.key);
            deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
        }
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), ..DeleteObjectsOutput::default() }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let mut state = self.objects.state.lock();
        state.counter += 1;
        let id = format!("upload-{}", state.counter);
        state.uploads.insert(id.clone(), BTreeMap::new());
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(request.input.bucket),
            key: Some(request.input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let body = collect(input.body, input.content_length).await?;
        let mut state = self.objects.state.lock();
        state.counter += 1;
        let etag = format!("{:032x}", state.counter);
        let parts = state.uploads.get_mut(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        parts.insert(input.part_number, body);
        Ok(S3Response::new(UploadPartOutput { e_tag: Some(ETag::Strong(etag)), ..UploadPartOutput::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let parts = self.objects.state.lock().uploads.get(&input.upload_id).cloned();
        let parts = parts.ok_or_else(|| s3_error!(NoSuchUpload))?;
        let wanted = input.multipart_upload.and_then(|u| u.parts).unwrap_or_default();
        let mut body = BytesMut::new();
        for part in wanted {
            let part = part.part_number.and_then(|number| parts.get(&number));
            body.extend_from_slice(part.ok_or_else(|| s3_error!(InvalidPart))?);
        }
        let (if_match, if_none_match) = (input.if_match.as_ref(), input.if_none_match.as_ref());
        let etag = self.objects.write(&input.bucket, &input.key, body.freeze(), if_match, if_none_match)?;
        self.objects.state.lock().uploads.remove(&input.upload_id);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.objects.state.lock().uploads.remove(&request.input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}
