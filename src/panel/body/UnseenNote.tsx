import { type Unseen, unseenCalls, unseenText } from '../model/unseen';
import { Sentence } from './Code';

/** What the watch can't see: in a word, and unfolded what it is and what can be done. */
export function UnseenNote({ unseen }: { unseen: readonly Unseen[] }) {
  if (unseen.length === 0) return null;
  return (
    <details className='jp-Torchtwin-note'>
      <summary>{unseenText(unseen)}</summary>
      <ul>
        {unseen.map((each) => (
          <li key={`${each.kind} ${each.where}`}>
            <Sentence text={each.where} /> <span className='jp-Torchtwin-quiet'>{unseenCalls(each)}</span>
            <div className='jp-Torchtwin-quiet'>
              <Sentence text={each.message} />
            </div>
          </li>
        ))}
      </ul>
    </details>
  );
}
