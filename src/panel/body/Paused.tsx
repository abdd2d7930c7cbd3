import { useSyncExternalStore } from 'react';
import type { Site } from '../../protocol';
import { frameOf, type Pause } from '../model/pause';
import { isModule, LATE_WORDS, nothingAhead, pauseSentence } from '../model/pauseText';
import { Button } from './Button';
import { Name, Sentence } from './Code';
import { ReadingProvider } from './context';
import { ExpressionBox } from './ExpressionBox';
import { FrameTensors } from './FrameTensors';
import { Place } from './Place';
import { ProductCard } from './ProductCard';
import { Section } from './Section';

/** The frame in which a debugger stands: what its line is about to do, its tensors, and a box to evaluate in it. */
export function Paused({ pause }: { pause: Pause }) {
  useSyncExternalStore(pause.subscribe, pause.version);
  return (
    <ReadingProvider value={pause.reading}>
      <p role='status' className='jp-Torchtwin-unseen'>
        {pauseSentence(pause)}
      </p>
      <Section title='Paused' remark={pause.isLeaving ? 'the kernel goes on' : ''}>
        <div className='jp-Torchtwin-paused'>
          <Where pause={pause} />
          <Frame pause={pause} />
          <ExpressionBox pause={pause} />
        </div>
      </Section>
    </ReadingProvider>
  );
}

/** The place, as a way to it, and the line itself. */
function Where({ pause: { look, stop } }: { pause: Pause }) {
  const place = look.type === 'frame' ? look : stop;
  if (!place) return null;
  const { site, function: name } = place;
  return (
    <div className='jp-Torchtwin-where'>
      <span className='jp-Torchtwin-whereabouts'>
        at <Place key={keyOf(site)} site={site} />
        {!isModule(name) && (
          <>
            {' '}
            in <Name name={name} limit={30} />
          </>
        )}
      </span>
      {site.source && <code className='jp-Torchtwin-line'>{site.source}</code>}
    </div>
  );
}

const keyOf = ({ cell_id: cell, file, line }: Site) => `${cell} ${file} ${line}`;

/** What is known of the frame. What was known of the one before is dimmed, and goes if no answer comes. */
function Frame({ pause }: { pause: Pause }) {
  const { look, isLeaving } = pause;
  if (look.type === 'refused') return <Unknown message={look.message} pause={pause} />;
  if (look.type === 'asking' && look.isLate) return <Unknown message={LATE_WORDS} pause={pause} />;
  const frame = frameOf(look);
  if (!frame) return <p className='jp-Torchtwin-quiet'>Reading the frame…</p>;
  const nothing = nothingAhead(frame);
  return (
    <div className='jp-Torchtwin-frame' aria-busy={isLeaving || look.type === 'asking'}>
      {nothing && (
        <p className='jp-Torchtwin-quiet'>
          <Sentence text={nothing} />
        </p>
      )}
      {frame.products.map((product, at) => (
        <ProductCard key={String(at)} product={product} of={frame} />
      ))}
      {frame.torch && <FrameTensors frame={frame} />}
    </div>
  );
}

function Unknown({ message, pause }: { message: string; pause: Pause }) {
  return (
    <div className='jp-Torchtwin-codeLine'>
      <span>
        <Sentence text={message} />
      </span>
      <Button onClick={() => void pause.inspect()}>Ask again</Button>
    </div>
  );
}
