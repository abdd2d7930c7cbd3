import { Fragment, type ReactNode } from 'react';
import type { Statistics } from '../../protocol';
import { statisticsText } from '../model/pauseText';
import { Sentence } from './Code';

/** What is to be said of something, in a row; what is false or null is left out. */
export function Facts({ facts }: { facts: ReactNode[] }) {
  const told = facts.filter((fact) => fact !== null && fact !== false && fact !== '');
  return (
    <>
      {told.map((fact, index) => (
        <Fragment key={String(index)}>
          {index > 0 && ' · '}
          {fact}
        </Fragment>
      ))}
    </>
  );
}

/** Statistics, of which each stays on a line, or why there are none. That elements are NaN or infinite stands out. */
export function elementFacts(statistics: Statistics | null, unread: string | null): ReactNode[] {
  if (!statistics) return [unread && <Sentence text={unread} />];
  return statisticsText(statistics).map((part) => (
    <span key={part} className={`jp-Torchtwin-fact${isAlarming(part) ? ' jp-Torchtwin-error' : ''}`}>
      {part}
    </span>
  ));
}

function isAlarming(part: string): boolean {
  return / (NaN|infinite)$/.test(part) && !part.startsWith('0 ');
}
