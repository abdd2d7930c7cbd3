// Made from schema.json by `npm run generate`. Do not edit.
export const COMM_ID = 'torchtwin-records';
export const MIME_TYPE = 'application/vnd.torchtwin.v1+json';
export const PAUSED_ASK = "(lambda:0).__builtins__['__import__']('torchtwin.kernel.paused.debugger').kernel.paused.debugger.answer";
export const PROTOCOL = 1;
export const QUERY_TARGET = 'torchtwin.query';
