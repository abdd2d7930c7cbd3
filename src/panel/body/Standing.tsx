import { useEffect, useRef } from 'react';
import type { Call } from '../../protocol';
import type { Browsing } from '../model/browsing';
import { callsOf } from '../model/callVerdict';
import { type Failing, placeText } from '../model/failing';
import { isEmpty, nothingFound, tallyOf } from '../model/filter';
import type { Group } from '../model/group';
import { callsText } from '../model/tallyText';
import { Button } from './Button';
import { Formula } from './Code';

interface Props {
  browsing: Browsing;
  /** All that were found, and of them those that stand below. */
  groups: readonly Group[];
  below: readonly Group[];
  failing: readonly Failing[];
  /** The call that is shown alone. */
  call: Call | undefined;
  /** Goes to the next call that failed or differs. */
  goOn: () => void;
}

interface Words {
  text: string;
  /** Whose calls they are; only read aloud where the card below says so. */
  name?: string;
  isSilent?: boolean;
  /** What a person can do, with the words for it. */
  ways: [string, () => void][];
}

/** Which calls stand below, where these are not simply all, and the way back. The region stays, to be announced. */
export function Standing(props: Props) {
  const { name, text, ways, isSilent } = wordsOf(props);
  const line = useInSight(props.browsing.chosen);
  return (
    <div ref={line} className='jp-Torchtwin-standing'>
      <span role='status'>
        {name && (
          <b className={isSilent ? 'jp-Torchtwin-unseen' : undefined}>
            <Formula text={name} />
          </b>
        )}
        {name ? ` ${text}` : text}
      </span>
      {ways.length > 0 && (
        <span className='jp-Torchtwin-actions'>
          {ways.map(([word, go]) => (
            <Button key={word} onClick={go}>
              {word}
            </Button>
          ))}
        </span>
      )}
    </div>
  );
}

/** Brings the line into sight, and some of what stands below it, when another layer is chosen. */
function useInSight(chosen: string | null) {
  const line = useRef<HTMLDivElement>(null);
  const before = useRef(chosen);
  useEffect(() => {
    const isOther = chosen !== null && chosen !== before.current;
    before.current = chosen;
    if (!isOther) return;
    // What stands below has its height once it is placed.
    const frame = requestAnimationFrame(() => line.current?.scrollIntoView?.({ block: 'nearest' }));
    return () => cancelAnimationFrame(frame);
  }, [chosen]);
  return line;
}

const NOTHING: Words = { text: '', ways: [] };

function wordsOf({ browsing, groups, below, failing, call, goOn }: Props): Words {
  const { look, chosen, filter } = browsing;
  if (groups.length === 0) return isEmpty(filter) ? NOTHING : nothing(browsing);
  if (call) {
    const back = look === 'model' ? 'Calls of this layer' : 'All calls';
    const ways: Words['ways'] = [[back, () => browsing.goBack()]];
    if (failing.length > 1) ways.unshift(['Next', goOn]);
    return { name: call.name, isSilent: true, text: placeText(failing, call.id), ways };
  }
  if (look === 'list') return NOTHING;
  if (chosen === null || below.length === 0) return { text: 'Choose a layer to see its calls.', ways: [] };
  return { name: chosen, text: callsText(callsOf(tallyOf(below))), ways: [['Close', () => browsing.choose(null)]] };
}

function nothing(browsing: Browsing): Words {
  return { text: nothingFound(browsing.filter), ways: [['Show all calls', () => browsing.showAll()]] };
}
