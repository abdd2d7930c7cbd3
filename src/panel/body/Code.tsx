import { Fragment } from 'react';
import { pieces, shorten } from '../model/names';

/** A name in code type, shortened at its start; the whole name on hover and for assistive technology. */
export function Name({ name, limit }: { name: string; limit?: number }) {
  const short = shorten(name, limit);
  if (short === name) return <code>{name}</code>;
  return (
    <code title={name}>
      <span aria-hidden='true'>{short}</span>
      <span className='jp-Torchtwin-unseen'>{name}</span>
    </code>
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

/** Code that may break before a point and after a comma, a bracket or an operator; `short` is what is seen of it. */
export function Formula({ text, short = text }: { text: string; short?: string }) {
  const parts = short.split(/(?<=[,(@])|(?<![…\s])(?=\.[A-Za-z])/);
  const seen = parts.map((part, index) => (
    <Fragment key={String(index)}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ));
  if (short === text) return <code title={text}>{seen}</code>;
  return (
    <code title={text}>
      <span aria-hidden='true'>{seen}</span>
      <span className='jp-Torchtwin-unseen'>{text}</span>
    </code>
  );
}
