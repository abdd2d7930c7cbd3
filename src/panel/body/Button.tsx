import { type ReactNode, useEffect, useRef, useState } from 'react';
import { useLeavesFocus } from './focus';

interface Props {
  children: ReactNode;
  onClick: () => void;
  /** Not the attribute `disabled`, which would take the focus away from the button. */
  idle?: boolean;
  title?: string;
}

export function Button({ children, onClick, idle = false, title }: Props) {
  const element = useLeavesFocus<HTMLButtonElement>();
  return (
    <button
      ref={element}
      type='button'
      className='jp-Torchtwin-button'
      onClick={() => idle || onClick()}
      aria-disabled={idle}
      title={title}
    >
      {children}
    </button>
  );
}

const SHOWN_FOR = 2000;

/** A button that says for two seconds what came of it: `Copied`. The work answers what to say, or throws it. */
export function SayingButton({ children, work }: { children: ReactNode; work: () => Promise<string> }) {
  const [said, say] = useState('');
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => () => clearTimeout(timer.current), []);
  const show = (text: string) => {
    say(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => say(''), SHOWN_FOR);
  };
  const run = () => work().then(show, (error) => show(error instanceof Error ? error.message : String(error)));
  return (
    <>
      <Button onClick={run}>{children}</Button>
      <span role='status' className='jp-Torchtwin-said'>
        {said}
      </span>
    </>
  );
}
