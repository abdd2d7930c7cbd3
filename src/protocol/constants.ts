// Made from schema.json by `npm run generate`. Do not edit.
export const COMM_ID = 'torchtwin-records';
export const MIME_TYPE = 'application/vnd.torchtwin.v1+json';
export const PROTOCOL = 1;
export const QUERY_TARGET = 'torchtwin.query';
