import type { ReactNode } from 'react';
import type { Screen } from '../model/screen';
import { SayingButton } from './Button';
import { Sentence } from './Code';
import { useCopy, useModel } from './context';

const WATCHING = 'Each call appears here beside the matmul that it equals.';
const WAITING = 'Calls are recorded from `import torch` on.';
const LOAD = '%load_ext torchtwin';
const ELSEWHERE = `Where Torchtwin isn’t loaded by itself, as in a terminal: \`${LOAD}\``;

/** Every screen without data. */
export function Empty({ screen }: { screen: Exclude<Screen, { type: 'data' }> }) {
  const model = useModel();
  switch (screen.type) {
    case 'no-kernel':
      return <Message title='No kernel'>Open a notebook or a console with a Python kernel.</Message>;
    case 'other-language':
      return (
        <Message title='Not a Python kernel'>Torchtwin watches PyTorch; this kernel runs {screen.language}.</Message>
      );
    case 'connecting':
      return <Message title='Connecting to the kernel…' />;
    case 'loading':
      return <Message title='Loading Torchtwin into the kernel…' />;
    case 'reading':
      return <Message title='Reading the records…' />;
    case 'kernel-busy':
      return <Message title='The kernel is busy'>What it has recorded is shown as soon as it answers.</Message>;
    case 'missing':
      return <Missing install={screen.install} />;
    case 'not-loaded':
      return <NotLoaded />;
    case 'other-protocol':
      return (
        <Message title='Reload the page' alert>
          The kernel runs another version of Torchtwin than this page (protocol {screen.protocol}).
        </Message>
      );
    case 'error':
      return (
        <Message
          title='Torchtwin can’t show this kernel'
          alert
          actions={<SayingButton work={() => model.retry().then(() => '')}>Try again</SayingButton>}
        >
          <code className='jp-Torchtwin-line'>{screen.message}</code>
        </Message>
      );
    case 'empty':
      return <Nothing watching={screen.watching} torch={screen.torch} />;
  }
}

interface MessageProps {
  title: string;
  alert?: boolean;
  /** Announced along with the title. */
  children?: ReactNode;
  /** Below it, not announced. */
  actions?: ReactNode;
}

function Message({ title, alert, children, actions }: MessageProps) {
  return (
    <div className='jp-Torchtwin-message'>
      <div role={alert ? 'alert' : 'status'}>
        <h2>{title}</h2>
        {children && <div>{children}</div>}
      </div>
      {actions}
    </div>
  );
}

function Missing({ install }: { install: string }) {
  return (
    <Message title='Torchtwin isn’t installed in this kernel' actions={<CodeLine text={install} />}>
      <p>Run this in a cell, then restart the kernel:</p>
    </Message>
  );
}

function NotLoaded() {
  const model = useModel();
  const ways = (
    <>
      <SayingButton work={() => model.load().then(() => '')}>Load</SayingButton>
      <p>Or run this in a cell:</p>
      <CodeLine text={LOAD} />
    </>
  );
  return (
    <Message title='Torchtwin isn’t loaded' actions={ways}>
      <p>Load it into this kernel to record what nn.Linear does.</p>
    </Message>
  );
}

function Nothing({ watching, torch }: { watching: boolean; torch: boolean }) {
  if (!watching) return <Message title='The watch is off'>Switch it on to record the calls of nn.Linear.</Message>;
  return (
    <Message title='Run a cell that calls nn.Linear' actions={<Elsewhere />}>
      <Sentence text={torch ? WATCHING : WAITING} />
    </Message>
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
