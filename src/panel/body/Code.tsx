import { Fragment } from 'react';
import { pieces, shorten } from '../model/names';

const NOWHERE = /$^/;
/** Before a part of a name, and after a comma, a bracket or an operator. */
const IN_CODE = /(?<=[,(@])|(?<![…\u2060\s])(?=\.[A-Za-z])/;

/** A name in code type, shortened at its start. */
export function Name({ name, limit }: { name: string; limit?: number }) {
  return <Shortened text={name} short={shorten(name, limit)} breaks={NOWHERE} />;
}

/** A name or formula of more than one line if need be, with `short` to be seen in its place. */
export function Formula({ text, short = text }: { text: string; short?: string }) {
  return <Shortened text={text} short={short} breaks={IN_CODE} />;
}

interface ShortenedProps {
  text: string;
  short: string;
  /** Where a line may end. */
  breaks: RegExp;
}

/** Code of which `short` is seen; the whole text on hover and for assistive technology. */
function Shortened({ text, short, breaks }: ShortenedProps) {
  if (short === text) {
    return (
      <code>
        <Breaking text={text} at={breaks} />
      </code>
    );
  }
  return (
    <code title={text}>
      <span aria-hidden='true'>
        <Breaking text={short.replaceAll('…', JOINED)} at={breaks} />
      </span>
      <span className='jp-Torchtwin-unseen'>{text}</span>
    </code>
  );
}

/** An ellipsis after which no line ends. */
const JOINED = '…\u2060';

function Breaking({ text, at }: { text: string; at: RegExp }) {
  return (
    <>
      {text.split(at).map((part, index) => (
        <Fragment key={String(index)}>
          {index > 0 && <wbr />}
          {part}
        </Fragment>
      ))}
    </>
  );
}

/** A sentence whose backticks mark code. */
export function Sentence({ text }: { text: string }) {
  return (
    <>
      {pieces(text).map(({ text: part, code }, index) => {
        const key = `${index}:${part}`;
        return code ? <code key={key}>{part}</code> : <span key={key}>{part}</span>;
      })}
    </>
  );
}
