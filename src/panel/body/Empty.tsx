import type { ReactNode } from 'react';
import type { Screen } from '../model/screen';
import { SayingButton } from './Button';
import { Sentence } from './Code';
import { useCopy, useModel } from './context';

const WATCHING = 'Each call appears here beside the matmul that it equals.';
const WAITING = 'Calls are recorded from `import torch` on.';
const LOAD = '%load_ext torchtwin';
const ELSEWHERE = `Where Torchtwin isn’t loaded by itself, as in a terminal: \`${LOAD}\``;

/** What stands where there is no data. The region stays, empty, beside data: only changes of a region are announced. */
export function Empty({ screen }: { screen: Screen }) {
  const words = wordsOf(screen);
  return (
    <div className={words ? 'jp-Torchtwin-message' : undefined}>
      <div role='status'>
        {words && <h2>{words.title}</h2>}
        {words?.text && <div>{words.text}</div>}
      </div>
      <Ways screen={screen} />
    </div>
  );
}

interface Words {
  title: string;
  text?: ReactNode;
}

function wordsOf(screen: Screen): Words | null {
  switch (screen.type) {
    case 'no-kernel':
      return { title: 'No kernel', text: 'Open a notebook or a console with a Python kernel.' };
    case 'other-language':
      return { title: 'Not a Python kernel', text: `Torchtwin watches PyTorch; this kernel runs ${screen.language}.` };
    case 'connecting':
      return { title: 'Connecting to the kernel…' };
    case 'loading':
      return { title: 'Loading Torchtwin into the kernel…' };
    case 'reading':
      return { title: 'Reading the records…' };
    case 'kernel-busy':
      return { title: 'The kernel is busy', text: 'What it has recorded is shown as soon as it answers.' };
    case 'missing':
      return { title: 'Torchtwin isn’t installed in this kernel', text: MISSING };
    case 'not-loaded':
      return { title: 'Torchtwin isn’t loaded', text: 'Load it into this kernel to record what nn.Linear does.' };
    case 'other-protocol':
      return { title: 'Reload the page', text: otherProtocol(screen.protocol) };
    case 'error':
      return { title: 'Torchtwin can’t show this kernel', text: <ErrorLine message={screen.message} /> };
    case 'empty':
      return nothing(screen.watching, screen.torch);
    case 'data':
      return null;
  }
}

const MISSING = 'Run this in a cell, then restart the kernel:';

function otherProtocol(protocol: number): string {
  return `The kernel runs another version of Torchtwin than this page (protocol ${protocol}).`;
}

function nothing(watching: boolean, torch: boolean): Words {
  if (!watching) return { title: 'The watch is off', text: 'Switch it on to record the calls of nn.Linear.' };
  return { title: 'Run a cell that calls nn.Linear', text: <Sentence text={torch ? WATCHING : WAITING} /> };
}

function ErrorLine({ message }: { message: string }) {
  return (
    <div className='jp-Torchtwin-codeLine'>
      <code>{message}</code>
    </div>
  );
}

/** What a person can do about it. Outside of the region: what is announced holds nothing to click. */
function Ways({ screen }: { screen: Screen }) {
  const model = useModel();
  if (screen.type === 'missing') return <CodeLine text={screen.install} />;
  if (screen.type === 'error') {
    return <SayingButton work={() => model.retry().then(() => '')}>Try again</SayingButton>;
  }
  if (screen.type === 'not-loaded') return <LoadingWays />;
  return screen.type === 'empty' && screen.watching ? <Elsewhere /> : null;
}

function LoadingWays() {
  const model = useModel();
  return (
    <>
      <SayingButton work={() => model.load().then(() => '')}>Load</SayingButton>
      <p>Or run this in a cell:</p>
      <CodeLine text={LOAD} />
    </>
  );
}

function Elsewhere() {
  return (
    <p className='jp-Torchtwin-elsewhere'>
      <Sentence text={ELSEWHERE} />
    </p>
  );
}

function CodeLine({ text }: { text: string }) {
  const copy = useCopy();
  return (
    <div className='jp-Torchtwin-codeLine'>
      <code>{text}</code>
      <SayingButton work={() => copy(text)}>Copy</SayingButton>
    </div>
  );
}
